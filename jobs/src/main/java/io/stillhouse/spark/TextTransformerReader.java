package io.stillhouse.spark;

import io.stillhouse.jobs.storage.Storage;
import org.apache.hadoop.fs.Path;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.MLReader;

/** Loads what {@link TextTransformerWriter} saved. */
final class TextTransformerReader<S extends TextTransformer<S>> extends MLReader<S> {
  @Override
  public S load(String path) {
    S stage = new DefaultParamsReader<S>().load(path);
    if (stage.isDefined(stage.modelUrl()) && !new Path(stage.getModelUrl()).isAbsolute()) {
      Path within = new Path(path, stage.getModelUrl());
      return stage.setModelUrl(Storage.ofThisProcess().qualify(within.toString()).toString());
    }
    return stage;
  }
}
