package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.predict.PredictJob;
import io.stillhouse.jobs.predict.PredictRecord;
import io.stillhouse.jobs.predict.TextClassifier;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Predicts single texts, or the rows of a table. */
@Command(
    name = "predict",
    description = {
      "Predicts classes, scores or embeddings of a table of texts, or the classes of single texts.",
      "",
      "Reads: MODEL, which is a Hugging Face directory, a student, or a file of an export: .onnx or"
          + " .pt; and TABLE, a file or directory in any format of corpus.path, whose text is in"
          + " corpus.text.",
      "Writes: OUT, a directory with the rows and columns of TABLE and the predictions as more"
          + " columns, and _predict.json. Rows without text are kept, with null predictions.",
      "",
      "If the argument after MODEL is an existing path, or looks like one, it is a TABLE. Otherwise"
          + " every argument is a TEXT, and its prediction is printed."
    })
final class PredictCommand implements Callable<Integer> {
  private static final Pattern LIKE_PATH =
      Pattern.compile(
          "\\S*://\\S*|\\.{0,2}/\\S*|\\S+\\.(txt|csv|tsv|jsonl?|parquet|orc)(\\.\\w+)?");

  /** Unlike a path such as {@code out/day=1}. */
  private static final Pattern SETTING = Pattern.compile("[^/=]*=.*", Pattern.DOTALL);

  @ParentCommand private @Nullable Stillhouse parent;

  @Parameters(index = "0", paramLabel = "MODEL", description = "Directory or file of the model.")
  private @Nullable String model;

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "TABLE OUT [key=value ...] | TEXT ...",
      hideParamSyntax = true,
      description =
          "A table, a directory that does not exist yet, and settings; or texts in quotes.")
  private @Nullable List<String> arguments;

  @Override
  public Integer call() throws IOException {
    List<String> words = Objects.requireNonNull(arguments);
    String path = Objects.requireNonNull(model);
    if (isTable(words.get(0))) {
      predictTable(path, words);
    } else {
      TextClassifier.open(path)
          .predict(words)
          .forEach(each -> Stillhouse.print("%s\t%s", each.answer(), each.text()));
    }
    return 0;
  }

  private static boolean isTable(String word) {
    if (LIKE_PATH.matcher(word).matches()) {
      return true;
    }
    try {
      return !word.isBlank() && Storage.ofThisProcess().exists(new Path(word));
    } catch (IOException | IllegalArgumentException e) {
      return false; // a text that is no path, such as one with a colon
    }
  }

  private void predictTable(String path, List<String> words) throws IOException {
    if (words.size() < 2 || SETTING.matcher(words.get(1)).matches()) {
      throw Errors.invalid(
          format("'%s' is a table, but no output is named", words.get(0)),
          "write predict MODEL TABLE OUT key=value ...");
    }
    PredictJob.Arguments tables = new PredictJob.Arguments(path, words.get(0), words.get(1));
    Settings settings =
        Objects.requireNonNull(parent)
            .opened()
            .apply(Settings.parse(null, words.subList(2, words.size())));
    tables.requireFiles();
    try (SparkSession spark = Sessions.open("predict", settings)) {
      PredictRecord record = new PredictJob(spark, settings, tables).run();
      Stillhouse.print(
          "predicted %s: %,d rows with %s, %,.0f rows/s",
          words.get(1), record.rows(), record.table().columns(), record.rowsPerSecond());
      if (record.emptyRows() + record.notFiniteRows() > 0) {
        Stillhouse.print(
            "%,d rows have no prediction: %,d without text, %,d for which an output of the model is"
                + " not finite",
            record.emptyRows() + record.notFiniteRows(),
            record.emptyRows(),
            record.notFiniteRows());
      }
    }
  }
}
