package io.stillhouse.jobs.distill;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A table of 120 rows of two classes, and a directory for the results of distill. */
abstract class DistillFixture {
  @TempDir protected Path directory;
  private final PrintedLines surroundings = new PrintedLines();
  protected final List<String> printed = surroundings.lines();
  protected Path table;
  protected Path to;

  @BeforeEach
  void writeTable() throws IOException {
    table = Tiny.labelled(directory.resolve("table.tsv"), 120, "yes", "no");
    to = directory.resolve("to");
  }

  /** Divides the table. */
  protected TableSplit.Result split(String... more) throws IOException {
    DistillRequest request = request(List.of(more));
    return new TableSplit(
            Tiny.spark(),
            request.settings(),
            Storage.ofThisProcess(),
            request.directory().file("data"))
        .run();
  }

  /** Returns the rows of a written part. */
  protected List<Row> rows(String part) {
    return Tiny.spark().read().parquet(to.resolve("data").resolve(part).toString()).collectAsList();
  }

  /** Runs distill with a tiny masked LM as the encoder and few rows. */
  protected Evaluation distill(String... more) throws IOException {
    List<String> arguments = new ArrayList<>(List.of(more));
    if (arguments.stream().noneMatch(argument -> argument.startsWith("teacher.path="))) {
      arguments.add("teacher.path=" + Tiny.MLM);
    }
    arguments.addAll(
        List.of("corpus.max-length=40", "smoke=true", "train.threads=1", "evaluate.speed=false"));
    DistillRequest request = request(arguments);
    return new DistillJob(Tiny.spark(), request.settings(), request, surroundings)
        .run()
        .evaluation();
  }

  protected DistillRequest request(List<String> arguments) {
    return DistillRequest.of(table.toString(), to, arguments);
  }
}
