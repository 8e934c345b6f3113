package io.stillhouse.spark;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.inference.Pooling;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.ModelSpec;
import java.util.Arrays;
import java.util.Locale;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.Identifiable;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/**
 * Embeds texts with an encoder. The output column is an array of float, as long as the model's
 * hidden states: the mean of the last hidden states over all tokens, special tokens included, or
 * the state of [CLS]. These are the poolings {@code mean} and {@code cls} of sentence-transformers.
 */
public final class TextEmbedder extends TextTransformer<TextEmbedder> {
  private final Param<String> pooling;
  private final BooleanParam normalize;

  /** Creates a stage without a model, with a random uid. */
  public TextEmbedder() {
    this(Identifiable.randomUID("TextEmbedder"));
  }

  /** Creates a stage without a model. */
  public TextEmbedder(String uid) {
    super(uid);
    this.pooling = new Param<>(this, "pooling", "mean or cls");
    this.normalize =
        new BooleanParam(this, "normalize", "whether embeddings are scaled to Euclidean length 1");
    setDefault(pooling, id(Pooling.MEAN));
    setDefault(normalize, true);
  }

  /** Returns the reader of saved stages, which Spark calls for those of a pipeline. */
  public static MLReader<TextEmbedder> read() {
    return new TextTransformerReader<>();
  }

  /** Loads a stage that was saved. */
  public static TextEmbedder load(String path) {
    return read().load(path);
  }

  public Param<String> pooling() {
    return pooling;
  }

  public String getPooling() {
    return getOrDefault(pooling);
  }

  public TextEmbedder setPooling(String value) {
    return with(pooling, value);
  }

  public BooleanParam normalize() {
    return normalize;
  }

  public boolean getNormalize() {
    return (Boolean) getOrDefault(normalize);
  }

  public TextEmbedder setNormalize(boolean value) {
    return with(normalize, value);
  }

  /** Returns {@link #transform(Dataset)}. */
  public Dataset<Row> embed(Dataset<?> dataset) {
    return transform(dataset);
  }

  @Override
  void checkParameters() {
    if (Arrays.stream(Pooling.values()).noneMatch(value -> id(value).equals(getPooling()))) {
      throw Errors.badValue("pooling", "mean or cls", getPooling());
    }
  }

  @Override
  void checkModel(String url, ModelSpec spec) {
    if (spec instanceof BiLstmSpec) {
      throw Errors.invalid(
          format("'%s' is a BiLSTM, which has no hidden state for each token", url),
          "use an encoder for embeddings");
    }
  }

  @Override
  DataType outputType() {
    return DataTypes.createArrayType(DataTypes.FloatType, false);
  }

  @Override
  TextOutput output() {
    return new EmbeddingOutput(getModelUrl(), Pooling.of(getPooling()), getNormalize());
  }

  @Override
  public TextEmbedder copy(ParamMap extra) {
    return defaultCopy(extra);
  }

  private static String id(Pooling pooling) {
    return pooling.name().toLowerCase(Locale.ROOT);
  }
}
