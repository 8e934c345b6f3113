package io.stillhouse.jobs.evaluate;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.evaluate.Flops;
import io.stillhouse.evaluate.InterleavedBenchmark;
import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Pairing;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Measures the speed of models on random tokens, in turns, inside one Spark task. Each model
 * computes what {@link EvaluateTask} computes for a row, except for the head of a masked LM, which
 * reads only masked tokens.
 *
 * @param names names of the models
 * @param models where the models are
 * @param lengths lengths of the sentences in tokens
 * @param threads number of libtorch threads
 * @param seconds time for each model at each length and batch size
 */
record SpeedTask(
    List<String> names,
    List<ModelLocation> models,
    List<Integer> lengths,
    int threads,
    double seconds)
    implements Serializable {
  private static final Logger LOG = LoggerFactory.getLogger(SpeedTask.class);

  /** Sentences per pass: one for latency, and many for throughput. */
  private static final List<Integer> BATCHES = List.of(1, 32);

  /** Returns how often {@link #run} calls {@code turnDone}. */
  long turns() {
    return (long) lengths.size() * BATCHES.size() * models.size() * InterleavedBenchmark.ALL;
  }

  List<Speed> run(Runnable turnDone) throws IOException {
    Autograd.threads(threads);
    Autograd.record(Autograd.Mode.OFF);
    LOG.info("Measuring the speed of {} on {}", names, Devices.ofTask());
    List<ModelSpec> specs = new ArrayList<>();
    List<List<Speed.Pass>> passes = new ArrayList<>();
    for (ModelLocation model : models) {
      specs.add(LoadedModels.spec(model));
      passes.add(new ArrayList<>());
    }
    for (int tokens : lengths) {
      for (int batch : BATCHES) {
        List<InterleavedBenchmark.Pass> turns = new ArrayList<>();
        for (int m = 0; m < models.size(); m++) {
          turns.add(pass(models.get(m), specs.get(m), tokens, batch));
        }
        List<InterleavedBenchmark.Rate> rates =
            InterleavedBenchmark.measure(turns, seconds, System::nanoTime, turnDone);
        LOG.info("Measured {} sentences of {} tokens", batch, tokens);
        for (int m = 0; m < models.size(); m++) {
          long flops = Flops.of(specs.get(m), tokens);
          passes.get(m).add(Speed.Pass.of(tokens, batch, flops, rates.get(m)));
        }
      }
    }
    List<Speed> speeds = new ArrayList<>();
    for (int m = 0; m < models.size(); m++) {
      speeds.add(
          new Speed(
              names.get(m),
              specs.get(m).parameterCount(),
              device(models.get(m)),
              threads,
              passes.get(m)));
    }
    return speeds;
  }

  /** ONNX Runtime computes on the CPU, whatever the device of the task. */
  private static String device(ModelLocation location) {
    return switch (location.form()) {
      case WEIGHTS, TORCHSCRIPT -> Devices.ofTask().getDeviceType();
      case ONNX, ONNX_INT8 -> Device.cpu().getDeviceType();
    };
  }

  private static InterleavedBenchmark.Pass pass(
      ModelLocation location, ModelSpec spec, int tokens, int batch) throws IOException {
    List<int[]> ids = ids(spec.vocabSize(), tokens, batch);
    List<int[]> types = types(spec, tokens, batch);
    if (spec.head().task().pooled()) {
      List<Pairing.Input> rows = new ArrayList<>();
      for (int row = 0; row < batch; row++) {
        rows.add(new Pairing.Input(ids.get(row), types.get(row)));
      }
      InferenceModel model = LoadedModels.open(location, tokens * batch);
      return () -> model.logits(rows);
    }
    Predictor model = Models.predictor(location.directory());
    return () -> {
      try (NDManager manager = Devices.manager()) {
        NDArray last = model.forward(Batch.of(manager, ids, types), Capture.NONE).last();
        last.getFloat(new long[last.getShape().dimension()]); // waits for a GPU
      }
    };
  }

  private static List<int[]> ids(int vocabSize, int tokens, int batch) {
    SplittableRandom random = new SplittableRandom(tokens);
    List<int[]> ids = new ArrayList<>();
    for (int row = 0; row < batch; row++) {
      ids.add(random.ints(tokens, 0, vocabSize).toArray());
    }
    return ids;
  }

  /**
   * Returns segment ids: two texts of half the length for a BiLSTM of pairs, otherwise one text.
   */
  private static List<int[]> types(ModelSpec spec, int tokens, int batch) {
    boolean pair = spec instanceof BiLstmSpec biLstm && biLstm.texts() == BiLstmSpec.Texts.PAIR;
    int[] types = new int[tokens];
    if (pair) {
      Arrays.fill(types, tokens / 2, tokens, 1);
    }
    return Collections.nCopies(batch, types);
  }
}
