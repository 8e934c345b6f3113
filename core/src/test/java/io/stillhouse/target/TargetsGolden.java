package io.stillhouse.target;

import static io.stillhouse.error.Text.format;

import io.stillhouse.spec.DistillSpec.Positions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A text with every kind of column: name, family, type, the dtype of its numbers in files of each
 * dtype, and doc. {@link #main} writes it as the golden file of the current format version; {@code
 * TargetsTest} compares the two.
 */
final class TargetsGolden {
  static final Path FILE =
      Path.of(format("src/test/golden/targets-v%d.txt", Targets.VERSION)).toAbsolutePath();

  private TargetsGolden() {}

  /**
   * Writes the golden file.
   *
   * @param args the path of the directory {@code core/src/test/golden}
   */
  public static void main(String[] args) throws IOException {
    Files.writeString(Path.of(args[0]).resolve(FILE.getFileName()), text());
  }

  static String text() {
    return format(
            "# Columns of cache format version %d: name, family, type, dtype in files of %s; doc\n",
            Targets.VERSION,
            Stream.of(Dtype.values()).map(Dtype::id).collect(Collectors.joining("/")))
        + columns().stream().map(TargetsGolden::lines).collect(Collectors.joining());
  }

  private static List<Column> columns() {
    List<Column> columns = new ArrayList<>(Targets.INPUTS);
    columns.add(Targets.LOGITS);
    columns.addAll(mlm(MlmTargets.Kind.DENSE, 0, List.of(), Positions.ALL));
    columns.addAll(mlm(MlmTargets.Kind.TOP_K, 64, List.of(1.0, 2.5), Positions.ALL));
    columns.addAll(mlm(MlmTargets.Kind.SAMPLED, 50, List.of(2.0), Positions.ALL));
    columns.addAll(mlm(MlmTargets.Kind.DENSE, 0, List.of(), Positions.MASKED));
    columns.addAll(mlm(MlmTargets.Kind.TOP_K, 64, List.of(1.0), Positions.MASKED));
    columns.addAll(mlm(MlmTargets.Kind.SAMPLED, 50, List.of(2.0), Positions.MASKED));
    columns.add(Targets.hidden(0));
    columns.add(Targets.hidden(12));
    columns.add(Targets.attention(1));
    columns.add(Targets.attention(12));
    columns.add(Targets.valueRelations(12));
    return columns;
  }

  private static List<Column> mlm(
      MlmTargets.Kind kind, int count, List<Double> temperatures, Positions positions) {
    return new MlmTargets(kind, count, temperatures, positions).columns();
  }

  private static String lines(Column column) {
    String dtypes =
        column.type().floating()
            ? Stream.of(Dtype.values())
                .map(file -> column.dtype(file).id())
                .collect(Collectors.joining("/", " ", ""))
            : "";
    return format(
        "%s %s %s%s\n  %s\n",
        column.name(), column.family().id(), column.type(), dtypes, column.doc());
  }
}
