package io.stillhouse.jobs.chart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class MatrixTest {
  private static final ChartText TEXT = new ChartText("m", "Attention", "How to read", "key", "q");
  private static final double[][] VALUES = {{0, 0.5, 1}, {Double.NaN, 0.004, 0.25}};

  @Test
  void opacityGrowsWithValue() throws Exception {
    Document svg = parse(matrix(List.of("a", "b", "c")).svg());
    List<String> opacities = new ArrayList<>();
    NodeList cells = svg.getElementsByTagName("rect");
    for (int n = 0; n < 6; n++) {
      opacities.add(((Element) cells.item(n)).getAttribute("fill-opacity"));
    }
    assertThat(opacities).containsExactly("0.00", "0.50", "1.00", "0.00", "0.00", "0.25");
  }

  @Test
  void cellsShowTheirNumbersBriefly() throws Exception {
    assertThat(texts(matrix(List.of("a", "b", "c")).svg()))
        .containsSubsequence("0", ".50", "1.00", "–", "0", ".25")
        .contains("key →", "← q", "nats");
  }

  @Test
  void wideMatrixHasTooltipsInsteadOfNumbers() throws Exception {
    List<String> columns = new ArrayList<>();
    for (int n = 0; n < 30; n++) {
      columns.add("token" + n);
    }
    double[][] values = new double[1][30];
    values[0][7] = 0.5;
    Matrix wide = new Matrix(TEXT, List.of("x"), columns, values, new Matrix.Shades(0, 1, 2, ""));
    assertThat(texts(wide.svg())).doesNotContain(".50");
    assertThat(wide.svg()).contains("<title>q: x, key: token7: 0.50 </title>");
  }

  @Test
  void labelsAreEscapedAndCut() throws Exception {
    String svg = matrix(List.of("<script>", "&", "a".repeat(99))).svg();
    assertThat(svg).doesNotContain("<script>");
    assertThat(texts(svg)).contains("<script>", "&", "a".repeat(23) + "…");
  }

  @Test
  void attentionGridHasMapForEachHead() throws Exception {
    Map<Integer, Map<Integer, double[]>> weights =
        Map.of(1, Map.of(1, new double[] {1, 0, 0.5, 0.5}, 2, new double[] {0.04, 0.96, 0, 1}));
    String svg = new AttentionGrid(TEXT, 2, weights).svg();
    Document document = parse(svg);
    assertThat(svg).contains("<title>layer 1, head 1</title>", "<title>layer 1, head 2</title>");
    List<String> cells = new ArrayList<>();
    NodeList paths = document.getElementsByTagName("path");
    for (int n = 0; n < paths.getLength(); n++) {
      Element path = (Element) paths.item(n);
      cells.add(path.getAttribute("fill-opacity") + " " + path.getAttribute("d"));
    }
    assertThat(cells)
        .containsExactlyInAnyOrder(
            "0.6 M0.0 28.0h28.0v28.0h-28.0zM28.0 28.0h28.0v28.0h-28.0z",
            "1.0 M0.0 0.0h28.0v28.0h-28.0z",
            "1.0 M28.0 0.0h28.0v28.0h-28.0zM28.0 28.0h28.0v28.0h-28.0z");
  }

  @Test
  void rejectsValuesThatDoNotFitLabels() {
    assertThatThrownBy(() -> matrix(List.of("a")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the values do not fit the labels");
  }

  private static Matrix matrix(List<String> columns) {
    return new Matrix(
        TEXT, List.of("x", "y"), columns, VALUES, Matrix.Shades.upTo(VALUES, 2, "nats"));
  }

  private static Document parse(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(svg)));
  }

  private static List<String> texts(String svg) throws Exception {
    List<String> texts = new ArrayList<>();
    NodeList nodes = parse(svg).getElementsByTagName("text");
    for (int n = 0; n < nodes.getLength(); n++) {
      texts.add(nodes.item(n).getTextContent());
    }
    return texts;
  }
}
