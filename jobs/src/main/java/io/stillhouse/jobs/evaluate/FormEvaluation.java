package io.stillhouse.jobs.evaluate;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * Compares the forms of one model with its weights, on the rows of {@code export.evaluate}.
 * Agreement and retention refer to the weights.
 */
public final class FormEvaluation {
  /** The name of the weights in results. */
  public static final String WEIGHTS = "float32";

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path weights;
  private final List<String> paths;
  private final List<InputRow> rows;

  /**
   * Reads the rows, so that mistakes are found before the forms are written.
   *
   * @param weights the model's directory
   * @throws io.stillhouse.error.StillhouseException if the rows cannot be read, or the model has no
   *     head
   */
  public FormEvaluation(SparkSession spark, Settings settings, Path weights) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.weights = weights;
    this.paths = settings.get(Options.EXPORT_EVALUATE);
    this.rows = job(Map.of()).read(paths);
  }

  /**
   * Evaluates the weights, then the forms.
   *
   * @param forms paths of the forms by name, in order
   */
  public Evaluation evaluate(Map<String, Path> forms) throws IOException {
    return job(forms).evaluate(paths, rows);
  }

  private EvaluateJob job(Map<String, Path> forms) throws IOException {
    return new EvaluateJob(
        spark, settings, EvaluatedModels.ofForms(storage, settings, weights, forms));
  }
}
