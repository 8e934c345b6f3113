package io.stillhouse.spark;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.hadoop.fs.Path;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.DefaultParamsWriter;
import org.apache.spark.ml.util.MLWriter;
import scala.Option;

/**
 * Saves a stage: first a copy of its model's files in {@code model}, then its parameters in the
 * format of Spark's own stages. The saved {@code modelUrl} is relative to the stage if the model
 * was copied, and absolute otherwise.
 */
final class TextTransformerWriter extends MLWriter {
  private static final String FOLDER = "model";

  private final TextTransformer<?> stage;

  TextTransformerWriter(TextTransformer<?> stage) {
    this.stage = stage;
  }

  /**
   * Saves the stage.
   *
   * @throws io.stillhouse.error.StillhouseException if overwriting {@code path} would delete the
   *     model before it is copied
   */
  @Override
  public void save(String path) throws IOException {
    if (shouldOverwrite() && stage.isDefined(stage.modelUrl())) {
      String model = stage.location().path() + Path.SEPARATOR;
      String replaced = Storage.ofThisProcess().qualify(path) + Path.SEPARATOR;
      if (model.startsWith(replaced)) {
        throw Errors.invalid(
            format(
                "'%s' contains the model of %s, so overwriting would delete it", path, stage.uid()),
            "save to another path");
      }
    }
    super.save(path);
  }

  @Override
  public void saveImpl(String path) {
    TextTransformer<?> saved = stage;
    if (stage.isDefined(stage.modelUrl())) {
      saved = stage.copy(ParamMap.empty()).setModelUrl(savedUrl(new Path(path)));
    }
    DefaultParamsWriter.saveMetadata(saved, path, sc(), Option.empty(), Option.empty());
  }

  private String savedUrl(Path path) {
    ModelLocation location = stage.location();
    try {
      return stage.getCopyModel() ? ModelUrl.copy(location, path, FOLDER) : location.path();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
