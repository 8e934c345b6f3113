package io.stillhouse.jobs.inference;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.ModelContent;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.spark.TaskCache;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.TorchScript;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.spark.TaskContext;

/**
 * Models that an executor loads once for all its tasks, in any form. A model stays open until the
 * tasks that opened it end; then it may be closed to make room for others.
 */
public final class LoadedModels {
  /** The default maximum number of tokens of a batch, including padding. */
  public static final int BATCH_TOKENS = 8192;

  private static final int MAX_MODELS = 16;

  /**
   * Loaded exports, which files with the same content share. The location is an argument, because
   * messages name the file that the caller opened.
   */
  private static final TaskCache<Key, Function<ModelLocation, BatchForward>> EXPORTS =
      new TaskCache<>(MAX_MODELS);

  private record Key(Form form, String digest, Device device, int threads) {}

  private LoadedModels() {}

  /** Opens a model with the default size of batches. */
  public static InferenceModel open(ModelLocation location) throws IOException {
    return open(location, BATCH_TOKENS);
  }

  /**
   * Opens a model, or returns it from memory if this process has loaded the same content before. It
   * computes with as many threads as the calling task has cores.
   *
   * @param batchTokens maximum number of tokens of a batch, including padding
   * @return a model that stays open until the calling task ends, or this process if there is none
   * @throws io.stillhouse.error.StillhouseException if there is no such model, its config or
   *     tokenizer is missing, or the runtime of its form is not installed
   */
  public static InferenceModel open(ModelLocation location, int batchTokens) throws IOException {
    TaskContext task = TaskContext.get();
    int threads = task == null ? Runtime.getRuntime().availableProcessors() : task.cpus();
    ModelSpec spec;
    BatchForward forward;
    if (location.form() == Form.WEIGHTS) {
      Predictor predictor = Models.predictor(location.directory());
      spec = predictor.spec();
      forward = new LibtorchForward(location, predictor, threads);
    } else {
      spec = spec(location);
      forward = export(location, spec, threads);
    }
    Tokenizer tokenizer = Models.tokenizer(location.directory());
    return new BatchedModel(spec, tokenizer, forward, batchTokens);
  }

  /**
   * Returns the spec of a model from its config, without loading the model. It tells a driver which
   * columns the model adds.
   *
   * @throws io.stillhouse.error.StillhouseException if the directory has no usable config
   */
  public static ModelSpec spec(ModelLocation location) throws IOException {
    return ModelDirectory.readSpec(Models.copy(location.directory()));
  }

  /**
   * Returns the SHA-256 of a model's files, in hexadecimal: weights or graph, config, tokenizer.
   */
  public static String digest(ModelLocation location) throws IOException {
    return location.form() == Form.WEIGHTS
        ? ModelContent.ofModel(location.directory())
        : ModelContent.ofExport(location.directory(), location.file());
  }

  private static BatchForward export(ModelLocation location, ModelSpec spec, int threads)
      throws IOException {
    Key key = new Key(location.form(), digest(location), Devices.ofTask(), threads);
    return EXPORTS.get(key, () -> load(location, spec, threads)).apply(location);
  }

  private static TaskCache.Loaded<Function<ModelLocation, BatchForward>> load(
      ModelLocation location, ModelSpec spec, int threads) throws IOException {
    Path file = Models.copy(location.directory()).resolve(location.file());
    if (!Files.isRegularFile(file)) {
      throw Errors.noSuchPath("model", location.path());
    }
    if (location.form() != Form.TORCHSCRIPT) {
      OnnxForward onnx = OnnxForward.open(location, file, threads);
      return new TaskCache.Loaded<>(onnx::at, onnx);
    }
    Autograd.record(Autograd.Mode.OFF);
    NDManager manager = Devices.manager();
    PtSymbolBlock module = TorchScript.load(manager, file);
    return new TaskCache.Loaded<>(
        named -> new TorchScriptForward(named, spec, module, threads), manager);
  }

  /**
   * Opens an export, applies it and closes it, so that a driver can find out what the export
   * returns without keeping it in memory.
   *
   * @param use what to compute
   * @throws io.stillhouse.error.StillhouseException as {@link #open(ModelLocation)}
   */
  public static void probe(ModelLocation location, Consumer<InferenceModel> use)
      throws IOException {
    ModelSpec spec = spec(location);
    try (Tokenizer tokenizer = Tokenizer.open(Models.copy(location.directory()))) {
      TaskCache.Loaded<Function<ModelLocation, BatchForward>> loaded = load(location, spec, 1);
      try {
        use.accept(new BatchedModel(spec, tokenizer, loaded.value().apply(location), BATCH_TOKENS));
      } finally {
        close(loaded.resources());
      }
    }
  }

  private static void close(AutoCloseable resources) {
    try {
      resources.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
