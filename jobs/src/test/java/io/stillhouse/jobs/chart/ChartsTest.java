package io.stillhouse.jobs.chart;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.evaluate.Calibration;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;

class ChartsTest {
  private static final ChartText TEXT = new ChartText("c", "A <title>", "A \"text\"", "x", "y");

  @Test
  void linesAreWellFormedAndNamed() throws Exception {
    String svg =
        LineChart.of(
            TEXT,
            LineChart.Base.VALUES,
            List.of(
                series("one & two", 0, 1, 2, Double.NaN, 3, 4),
                series("context", Series.FAINT, 4, 3, 2, 1, 0)));
    Document document = parsed(svg);
    assertThat(document.getElementsByTagName("title").item(0).getTextContent())
        .isEqualTo("A <title>");
    assertThat(document.getDocumentElement().getAttribute("aria-labelledby"))
        .isEqualTo("c-title c-text");
    assertThat(svg).contains("one &amp; two").doesNotContain(">context<", "NaN");
    // The value that is not a number interrupts the line.
    String line = svg.substring(svg.indexOf("class=\"s s0\""));
    assertThat(line.substring(0, line.indexOf("</g>")).split("M", -1)).hasSize(3);
  }

  @Test
  void labelsOfLinesDoNotOverlap() throws Exception {
    String svg =
        LineChart.of(
            TEXT,
            LineChart.Base.ZERO,
            List.of(series("a", 0, 1, 1), series("b", 1, 1, 1), series("c", 2, 1, 1)));
    double[] heights =
        Pattern.compile("y=\"([\\d.]+)\">[abc]<")
            .matcher(svg)
            .results()
            .mapToDouble(found -> Double.parseDouble(found.group(1)))
            .sorted()
            .toArray();
    assertThat(heights).hasSize(3);
    assertThat(heights[1] - heights[0]).isGreaterThanOrEqualTo(12);
    assertThat(heights[2] - heights[1]).isGreaterThanOrEqualTo(12);
  }

  @Test
  void emptyLinesAreDrawn() throws Exception {
    parsed(LineChart.of(TEXT, LineChart.Base.VALUES, List.of(series("none", 0))));
    parsed(LineChart.of(TEXT, LineChart.Base.VALUES, List.of(series("nan", 0, Double.NaN))));
  }

  @Test
  void pointsOfFrontAreJoinedAndNamed() throws Exception {
    String svg =
        PointChart.of(
            TEXT,
            List.of(
                new PointChart.Point("teacher", PointChart.Role.TEACHER, 9e6, 0.9, 0.01),
                new PointChart.Point("small", PointChart.Role.FRONT, 1e6, 0.7, Double.NaN),
                new PointChart.Point("large", PointChart.Role.FRONT, 3e6, 0.8, 0.01)));
    parsed(svg);
    assertThat(svg).contains("class=\"front-line\"", ">teacher<", ">small<", ">large<");
    assertThat(svg).contains("large: 3M, 0.8 ± 0.01").doesNotContain("NaN");
  }

  @Test
  void namesOnlyFrontOfManyPoints() {
    List<PointChart.Point> points = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      points.add(new PointChart.Point("p" + i, PointChart.Role.OTHER, 1 + i, i % 7, 0));
    }
    points.add(new PointChart.Point("best", PointChart.Role.FRONT, 1, 9, 0));
    assertThat(PointChart.of(TEXT, points)).contains(">best<").doesNotContain(">p3<");
  }

  @Test
  void cellsHaveValuesAndColors() throws Exception {
    String svg =
        HeatMap.of(
            TEXT,
            List.of("0", "1"),
            List.of("0", "1", "2"),
            new double[][] {{0, 0.5, 1}, {Double.NaN, 1.2, -0.1}});
    parsed(svg);
    assertThat(svg).contains(">0.50<", "1, 1: 1.200", "fill=\"#08306b\"");
    assertThat(svg.split("class=\"cell\"", -1)).hasSize(6);
    assertThat(HeatMap.color(-3)).isEqualTo(HeatMap.color(0)).isEqualTo("#f7fbff");
  }

  @Test
  void reliabilityLeavesOutBinsOfFewPredictions() throws Exception {
    double[] probabilities = {0.9, 0.9, 0.9, 0.9, 0.9, 0.1};
    boolean[] cameTrue = {true, true, true, true, false, false};
    String svg =
        ReliabilityDiagram.of(
            TEXT,
            List.of(
                new ReliabilityDiagram.Model(
                    "m", 0, Calibration.of(probabilities, cameTrue, Calibration.BINS))));
    parsed(svg);
    assertThat(svg).contains("5 predictions of 0.90 on average, of which 0.80 are right");
    assertThat(svg).doesNotContain("1 predictions");
  }

  @Test
  void sheetRefersToNoOtherFile() {
    assertThat(Markup.css()).contains(".chart").doesNotContain("url(", "@import", "http");
  }

  private static Series series(String name, int style, double... y) {
    double[] x = new double[y.length];
    for (int at = 0; at < x.length; at++) {
      x[at] = 100.0 * at;
    }
    return new Series(name, style, x, y);
  }

  private static Document parsed(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
  }
}
