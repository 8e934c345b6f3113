package io.stillhouse.spark;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.inference.Form;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.spark.RowEncoders;
import io.stillhouse.spec.ModelSpec;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.param.ParamValidators;
import org.apache.spark.ml.util.MLWritable;
import org.apache.spark.ml.util.MLWriter;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * A stage that computes an output column from a column of texts with a model. Each executor loads
 * the model once for all its tasks. If a text is null or has no tokens, its output is null.
 *
 * <p>A saved stage contains a copy of the model unless {@link #copyModel} is false, so that a saved
 * pipeline can be moved to another cluster.
 *
 * @param <S> the class of the stage, which setters return
 */
public abstract class TextTransformer<S extends TextTransformer<S>> extends Transformer
    implements MLWritable {
  private static final int BATCH_SIZE = 100;

  private final String uid;
  private final Param<String> inputCol;
  private final Param<String> outputCol;
  private final Param<String> modelUrl;
  private final Param<String> engine;
  private final IntParam batchSize;
  private final IntParam maxLength;
  private final BooleanParam copyModel;

  TextTransformer(String uid) {
    this.uid = uid;
    this.inputCol = new Param<>(this, "inputCol", "input column name, of type string");
    this.outputCol = new Param<>(this, "outputCol", "output column name");
    this.modelUrl =
        new Param<>(
            this,
            "modelUrl",
            "Hadoop path of a model's directory, or of an .onnx or .pt file of an export; every"
                + " machine must be able to read it");
    this.engine =
        new Param<>(
            this,
            "engine",
            "PyTorch or OnnxRuntime; for a directory, PyTorch runs the weights and OnnxRuntime runs"
                + " onnx/model.onnx; by default, the engine that modelUrl needs");
    this.batchSize =
        new IntParam(
            this, "batchSize", "number of rows that are computed together", ParamValidators.gt(0));
    this.maxLength =
        new IntParam(
            this,
            "maxLength",
            "number of tokens to which texts are truncated, including special tokens; by default,"
                + " the model's maximum",
            ParamValidators.gtEq(ModelUrl.LEAST_TOKENS));
    this.copyModel =
        new BooleanParam(
            this, "copyModel", "whether a saved stage contains a copy of the model's files");
    setDefault(outputCol, uid + "__output");
    setDefault(batchSize, BATCH_SIZE);
    setDefault(copyModel, true);
  }

  @Override
  public final String uid() {
    return uid;
  }

  public final Param<String> inputCol() {
    return inputCol;
  }

  public final String getInputCol() {
    return required(inputCol);
  }

  public final S setInputCol(String value) {
    return with(inputCol, value);
  }

  public final Param<String> outputCol() {
    return outputCol;
  }

  public final String getOutputCol() {
    return required(outputCol);
  }

  public final S setOutputCol(String value) {
    return with(outputCol, value);
  }

  public final Param<String> modelUrl() {
    return modelUrl;
  }

  public final String getModelUrl() {
    return required(modelUrl);
  }

  public final S setModelUrl(String value) {
    return with(modelUrl, value);
  }

  public final Param<String> engine() {
    return engine;
  }

  public final String getEngine() {
    return required(engine);
  }

  public final S setEngine(String value) {
    return with(engine, value);
  }

  public final IntParam batchSize() {
    return batchSize;
  }

  public final int getBatchSize() {
    return (Integer) getOrDefault(batchSize);
  }

  public final S setBatchSize(int value) {
    return with(batchSize, value);
  }

  public final IntParam maxLength() {
    return maxLength;
  }

  public final int getMaxLength() {
    return (Integer) required(maxLength);
  }

  public final S setMaxLength(int value) {
    return with(maxLength, value);
  }

  public final BooleanParam copyModel() {
    return copyModel;
  }

  public final boolean getCopyModel() {
    return (Boolean) getOrDefault(copyModel);
  }

  public final S setCopyModel(boolean value) {
    return with(copyModel, value);
  }

  /** Sets a parameter and returns this stage. */
  @SuppressWarnings("unchecked") // S is the class of this stage
  final <T> S with(Param<T> parameter, T value) {
    set(parameter, value);
    return (S) this;
  }

  /** Returns the value of a parameter that must be set or have a default. */
  final <T> T required(Param<T> parameter) {
    if (!isDefined(parameter)) {
      throw Errors.invalid(
          format("%s of %s is not set", parameter.name(), uid),
          format("set it: %s is the %s", parameter.name(), parameter.doc()));
    }
    return getOrDefault(parameter);
  }

  /** Returns the location of the model, with a path that means the same on every machine. */
  final ModelLocation location() {
    return ModelUrl.locate(getModelUrl(), isDefined(engine) ? getEngine() : null);
  }

  /**
   * Requires parameters that only this kind of stage has.
   *
   * @throws io.stillhouse.error.StillhouseException if one is invalid
   */
  abstract void checkParameters();

  /**
   * Requires that a model computes this kind of output.
   *
   * @throws io.stillhouse.error.StillhouseException if it does not
   */
  abstract void checkModel(String url, ModelSpec spec);

  /** Returns the type of the output column. */
  abstract DataType outputType();

  /** Returns what computes the output of texts on an executor. */
  abstract TextOutput output();

  /**
   * Appends the output column, lazily: rows are computed when a query reads them. The driver checks
   * the columns and the model first.
   *
   * @throws io.stillhouse.error.StillhouseException if a parameter is missing or invalid, the
   *     columns do not fit, or there is no such model
   */
  @Override
  public Dataset<Row> transform(Dataset<?> dataset) {
    StructType schema = transformSchema(dataset.schema());
    ModelLocation location = location();
    checkModel(getModelUrl(), ModelUrl.checkedSpec(location));
    if (location.form() != Form.WEIGHTS) {
      ModelUrl.tryExport(location, output());
    }
    TextRows rows =
        new TextRows(
            schema,
            location,
            column(dataset.schema()),
            getBatchSize(),
            isDefined(maxLength) ? getMaxLength() : Integer.MAX_VALUE,
            output());
    Dataset<Row> appended = dataset.toDF().mapPartitions(rows, RowEncoders.of(dataset, schema));
    // Encoders drop the metadata of columns, which other stages need, such as IndexToString. Adding
    // it requires unique names, which columns without metadata need not have.
    boolean described =
        Arrays.stream(schema.fields())
            .anyMatch(field -> !field.metadata().equals(Metadata.empty()));
    return described ? appended.to(schema) : appended;
  }

  /**
   * Returns the schema with the output column, without reading the model.
   *
   * @throws io.stillhouse.error.StillhouseException if the input column is missing or not a string,
   *     or the output column exists
   */
  @Override
  public StructType transformSchema(StructType schema) {
    checkParameters();
    StructField input = schema.fields()[column(schema)];
    if (!input.dataType().equals(DataTypes.StringType)) {
      throw Errors.invalid(
          format(
              "the input column '%s' must be of type string, but is %s",
              input.name(), input.dataType().simpleString()),
          "cast it, or set inputCol to a column of texts");
    }
    if (find(schema, getOutputCol()) >= 0) {
      throw Errors.invalid(
          format("the output column '%s' already exists", getOutputCol()),
          "set outputCol to another name, or drop the column first");
    }
    return schema.add(getOutputCol(), outputType(), true);
  }

  private int column(StructType schema) {
    int column = find(schema, getInputCol());
    if (column < 0) {
      throw Errors.invalid(
          format(
              "there is no input column '%s'; the columns are %s",
              getInputCol(), Errors.joined(List.of(schema.fieldNames()))),
          "set inputCol to one of them");
    }
    return column;
  }

  /** Returns the index of the column that Spark's own resolution of names finds, or -1. */
  private static int find(StructType schema, String name) {
    List<String> names = Arrays.asList(schema.fieldNames());
    int exact = names.indexOf(name);
    if (exact >= 0 || SQLConf.get().caseSensitiveAnalysis()) {
      return exact;
    }
    for (int column = 0; column < names.size(); column++) {
      if (names.get(column).equalsIgnoreCase(name)) {
        return column;
      }
    }
    return -1;
  }

  @Override
  public MLWriter write() {
    return new TextTransformerWriter(this);
  }

  @Override
  public abstract S copy(ParamMap extra);
}
