package io.stillhouse.spark;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.ModelFiles;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.inference.Form;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.spark.ModelContent;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.spec.ModelSpec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/** Finds and checks the model that {@code modelUrl} and {@code engine} name. */
final class ModelUrl {
  /** [CLS], one token, [SEP]. */
  static final int LEAST_TOKENS = 3;

  private static final String PYTORCH = "PyTorch";
  private static final String ONNX_RUNTIME = "OnnxRuntime";
  private static final String GRAPH = "onnx/model.onnx";

  private ModelUrl() {}

  /**
   * Returns the location of a model, with a path that means the same on every machine.
   *
   * @param engine the engine, or null for the one that the path needs
   * @throws io.stillhouse.error.StillhouseException if there is no such path, or the engine does
   *     not support it
   */
  static ModelLocation locate(String url, @Nullable String engine) {
    if (engine != null && !engine.equals(PYTORCH) && !engine.equals(ONNX_RUNTIME)) {
      throw Errors.badValue("engine", PYTORCH + " or " + ONNX_RUNTIME, engine);
    }
    try {
      Storage storage = Storage.ofThisProcess();
      ModelLocation named = ModelLocation.existing(storage, "modelUrl", url);
      if (named.form() == Form.WEIGHTS && ONNX_RUNTIME.equals(engine)) {
        Path graph = new Path(named.directory(), GRAPH);
        if (!storage.exists(graph)) {
          throw Errors.invalid(
              format("engine is %s, but '%s' has no %s", engine, url, GRAPH),
              "export the model to ONNX, or set modelUrl to the .onnx file");
        }
        return ModelLocation.parse(graph.toString());
      }
      if (engine != null && !engine.equals(engine(named.form()))) {
        throw Errors.invalid(
            format("engine is %s, but '%s' needs %s", engine, url, engine(named.form())),
            "leave engine unset, or name another file");
      }
      return named;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String engine(Form form) {
    return switch (form) {
      case WEIGHTS, TORCHSCRIPT -> PYTORCH;
      case ONNX, ONNX_INT8 -> ONNX_RUNTIME;
    };
  }

  /**
   * Returns the spec of a model. Reads everything except the values of the weights, so that the
   * driver reports mistakes.
   *
   * @throws io.stillhouse.error.StillhouseException if the config, the tokenizer or the weights are
   *     missing or damaged, or the model cannot read single texts
   */
  static ModelSpec checkedSpec(ModelLocation location) {
    try {
      java.nio.file.Path local = Models.copy(location.directory());
      ModelSpec spec =
          location.form() == Form.WEIGHTS
              ? ModelDirectory.open(local).spec()
              : LoadedModels.spec(location);
      Models.logTokenizerNotes(local);
      String name = format("'%s'", location.path());
      ModelCheck.of(Settings.parse(null, List.of()), name, spec).requireReadsLines();
      return spec;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Runs an exported file on a row without words, because what it returns is known only after a
   * forward pass.
   *
   * @throws io.stillhouse.error.StillhouseException if the file cannot be opened, or does not
   *     return what the output needs
   */
  static void tryExport(ModelLocation location, TextOutput output) {
    try {
      LoadedModels.probe(
          location,
          model -> output.of(model, List.of(model.pairing(LEAST_TOKENS).single(new int[0]))));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Copies the files that a model needs, and returns the path of the copy that is the model's URL,
   * relative to {@code parent}.
   *
   * @param folder the name of the copy's directory
   */
  static String copy(ModelLocation location, Path parent, String folder) throws IOException {
    java.nio.file.Path local = Models.copy(location.directory());
    List<java.nio.file.Path> files = new ArrayList<>();
    String within = "";
    if (location.form() == Form.WEIGHTS) {
      files.addAll(ModelFiles.all(local));
    } else {
      within = location.file();
      files.addAll(ModelContent.exportFiles(local, within));
    }
    Storage storage = Storage.ofThisProcess();
    Path to = new Path(parent, folder);
    for (java.nio.file.Path file : files) {
      storage.publish(file, new Path(to, local.relativize(file).toString()));
    }
    return within.isEmpty() ? folder : folder + "/" + within;
  }
}
