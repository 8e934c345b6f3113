package io.stillhouse.spark;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.param.ParamValidators;
import org.apache.spark.ml.util.Identifiable;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataType;

/**
 * Classifies texts with a model that has a classification or multi-label head. The output column is
 * a struct of all classes, most probable first:
 *
 * <ul>
 *   <li>{@code class_names}, array of string
 *   <li>{@code probabilities}, array of double in the order of the names: the softmax of the
 *       logits, or their sigmoid if the model is multi-label
 *   <li>{@code top_k}, array of string: the first {@link #topK} classes as JSON, such as <code>
 *       {"className": "positive", "probability": 0.99871}</code>
 * </ul>
 */
public final class TextClassifier extends TextTransformer<TextClassifier> {
  private static final int TOP_K = 5;

  private final IntParam topK;

  /** Creates a stage without a model, with a random uid. */
  public TextClassifier() {
    this(Identifiable.randomUID("TextClassifier"));
  }

  /** Creates a stage without a model. */
  public TextClassifier(String uid) {
    super(uid);
    this.topK = new IntParam(this, "topK", "number of classes in top_k", ParamValidators.gt(0));
    setDefault(topK, TOP_K);
  }

  /** Returns the reader of saved stages, which Spark calls for those of a pipeline. */
  public static MLReader<TextClassifier> read() {
    return new TextTransformerReader<>();
  }

  /** Loads a stage that was saved. */
  public static TextClassifier load(String path) {
    return read().load(path);
  }

  public IntParam topK() {
    return topK;
  }

  public int getTopK() {
    return (Integer) getOrDefault(topK);
  }

  public TextClassifier setTopK(int value) {
    return with(topK, value);
  }

  /** Returns {@link #transform(Dataset)}. */
  public Dataset<Row> classify(Dataset<?> dataset) {
    return transform(dataset);
  }

  @Override
  void checkParameters() {}

  @Override
  void checkModel(String url, ModelSpec spec) {
    Task task = spec.head().task();
    if (task == Task.REGRESSION) {
      throw Errors.invalid(
          format("'%s' predicts a score, not classes", url),
          "use a model with a classification head, or the command predict for scores");
    }
    if (!task.pooled()) {
      throw Errors.invalid(
          format("'%s' has no classification head (its head is %s)", url, task),
          "name a fine-tuned model, or use TextEmbedder");
    }
    if (spec instanceof BiLstmSpec biLstm && biLstm.texts() == BiLstmSpec.Texts.PAIR) {
      throw Errors.invalid(format("'%s' reads pairs of texts", url), "use a model of single texts");
    }
  }

  @Override
  DataType outputType() {
    return ClassOutput.TYPE;
  }

  @Override
  TextOutput output() {
    return new ClassOutput(getModelUrl(), getTopK());
  }

  @Override
  public TextClassifier copy(ParamMap extra) {
    return defaultCopy(extra);
  }
}
