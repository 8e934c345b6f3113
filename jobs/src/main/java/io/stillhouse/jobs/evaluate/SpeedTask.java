package io.stillhouse.jobs.evaluate;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.evaluate.Flops;
import io.stillhouse.evaluate.InterleavedBenchmark;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.ModelSpec;
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
 * @param models directories of the models
 * @param lengths lengths of the sentences in tokens
 * @param threads number of libtorch threads
 * @param seconds time for each model at each length and batch size
 */
record SpeedTask(
    List<String> names, List<String> models, List<Integer> lengths, int threads, double seconds)
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
    List<Predictor> predictors = new ArrayList<>();
    List<List<Speed.Pass>> passes = new ArrayList<>();
    for (String model : models) {
      predictors.add(Models.predictor(model));
      passes.add(new ArrayList<>());
    }
    for (int tokens : lengths) {
      for (int batch : BATCHES) {
        List<InterleavedBenchmark.Pass> turns =
            predictors.stream().map(model -> pass(model, tokens, batch)).toList();
        List<InterleavedBenchmark.Rate> rates =
            InterleavedBenchmark.measure(turns, seconds, System::nanoTime, turnDone);
        LOG.info("Measured {} sentences of {} tokens", batch, tokens);
        for (int m = 0; m < models.size(); m++) {
          long flops = Flops.of(predictors.get(m).spec(), tokens);
          passes.get(m).add(Speed.Pass.of(tokens, batch, flops, rates.get(m)));
        }
      }
    }
    List<Speed> speeds = new ArrayList<>();
    for (int m = 0; m < models.size(); m++) {
      speeds.add(
          new Speed(
              names.get(m),
              predictors.get(m).spec().parameterCount(),
              Devices.ofTask().getDeviceType(),
              threads,
              passes.get(m)));
    }
    return speeds;
  }

  private static InterleavedBenchmark.Pass pass(Predictor model, int tokens, int batch) {
    List<int[]> ids = ids(model.spec().vocabSize(), tokens, batch);
    List<int[]> types = types(model.spec(), tokens, batch);
    return () -> {
      try (NDManager manager = Devices.manager()) {
        EncoderOutput output = model.forward(Batch.of(manager, ids, types), Capture.NONE);
        NDArray last = output.logits() == null ? output.last() : output.logits();
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
