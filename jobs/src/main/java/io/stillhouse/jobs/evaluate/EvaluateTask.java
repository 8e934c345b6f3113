package io.stillhouse.jobs.evaluate;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.inference.Outputs;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.Task;
import io.stillhouse.target.TargetSource;
import io.stillhouse.text.Pairing;
import io.stillhouse.torch.Autograd;
import io.stillhouse.train.MicroBatches;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.function.LongConsumer;
import org.apache.spark.TaskContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs several models on the same rows, inside a Spark task. Agreement is measured with the first
 * model.
 *
 * @param rows rows of token ids; already masked if the models are masked LMs
 * @param models where the models are; directories of weights if they are masked LMs
 * @param batchTokens maximum number of tokens in a batch, including padding
 * @param threads number of libtorch threads
 */
record EvaluateTask(List<InputRow> rows, List<ModelLocation> models, int batchTokens, int threads)
    implements Serializable {
  private static final Logger LOG = LoggerFactory.getLogger(EvaluateTask.class);

  /**
   * The outputs of all models for one row.
   *
   * @param label the row's label; NaN if it has none
   * @param logits task logits, shape (models, classes); empty for masked LMs
   * @param masked counts of a masked LM; null for tasks
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record RowResult(String id, double label, float[][] logits, @Nullable MaskedCounts masked)
      implements Serializable {

    /** Returns whether the first model, which is the teacher, gives only finite numbers. */
    boolean teacherIsFinite() {
      if (masked != null) {
        return Double.isFinite(masked.nll()[0]);
      }
      return Outputs.areFinite(logits[0]);
    }
  }

  /**
   * Counts over the masked tokens of a row, one value per model.
   *
   * @param tokens masked tokens of the row
   * @param correct correct predictions
   * @param agreeing predictions equal to the first model's
   * @param nll summed negative log-likelihood of the true tokens, in nats
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record MaskedCounts(int tokens, int[] correct, int[] agreeing, double[] nll)
      implements Serializable {}

  List<RowResult> run(LongConsumer tokensDone) throws IOException {
    Autograd.threads(threads);
    Autograd.record(Autograd.Mode.OFF);
    LOG.info(
        "Task {}: evaluating {} models on {} rows, on {} with {} threads",
        TaskContext.getPartitionId(),
        models.size(),
        rows.size(),
        Devices.ofTask(),
        threads);
    long began = System.nanoTime();
    boolean maskedLm = LoadedModels.spec(models.get(0)).head().task() == Task.MASKED_LM;
    List<RowResult> results = new ArrayList<>();
    for (List<InputRow> batch :
        MicroBatches.split(rows, InputRow::length, batchTokens, MicroBatches.Phase.INFERENCE)) {
      results.addAll(maskedLm ? maskedLm(batch) : task(batch));
      tokensDone.accept(batch.stream().mapToLong(InputRow::length).sum() * models.size());
    }
    LOG.info(
        "Task {}: evaluated {} rows in {} ms",
        TaskContext.getPartitionId(),
        rows.size(),
        (System.nanoTime() - began) / 1_000_000);
    return results;
  }

  private List<RowResult> task(List<InputRow> batch) throws IOException {
    List<Pairing.Input> inputs =
        batch.stream().map(row -> new Pairing.Input(row.inputIds(), row.typeIds())).toList();
    List<float[][]> all = new ArrayList<>();
    for (ModelLocation model : models) {
      all.add(LoadedModels.open(model, batchTokens).logits(inputs));
    }
    List<RowResult> results = new ArrayList<>();
    for (int row = 0; row < batch.size(); row++) {
      float[][] logits = new float[models.size()][];
      for (int m = 0; m < models.size(); m++) {
        logits[m] = all.get(m)[row];
      }
      InputRow input = batch.get(row);
      results.add(
          new RowResult(
              input.id(), input.label() == null ? Double.NaN : input.label(), logits, null));
    }
    return results;
  }

  private List<RowResult> maskedLm(List<InputRow> batch) throws IOException {
    List<Integer> rowOf = new ArrayList<>();
    List<Long> positions = new ArrayList<>();
    List<Long> labels = new ArrayList<>();
    int longest = batch.stream().mapToInt(InputRow::length).max().orElse(0);
    for (int row = 0; row < batch.size(); row++) {
      int[] tokens = Objects.requireNonNull(batch.get(row).mlmLabels());
      for (int t = 0; t < tokens.length; t++) {
        if (tokens[t] != TargetSource.IGNORED) {
          rowOf.add(row);
          positions.add((long) row * longest + t);
          labels.add((long) tokens[t]);
        }
      }
    }
    MaskedCounts[] counts = new MaskedCounts[batch.size()];
    for (int row = 0; row < counts.length; row++) {
      counts[row] =
          new MaskedCounts(
              Collections.frequency(rowOf, row),
              new int[models.size()],
              new int[models.size()],
              new double[models.size()]);
    }
    long[] first = null;
    for (int m = 0; m < models.size() && !positions.isEmpty(); m++) {
      try (NDManager manager = Devices.manager()) {
        Predictor model = model(m);
        EncoderOutput output = model.forward(batch(manager, batch), Capture.NONE);
        NDArray at = manager.create(positions.stream().mapToLong(Long::longValue).toArray());
        NDArray states =
            Autograd.rows(output.last().reshape(-1, output.last().getShape().get(2)), at);
        NDArray logitsNV = model.maskedLmLogits(states);
        long[] best = logitsNV.argMax(1).toLongArray();
        NDArray truth =
            manager.create(
                labels.stream().mapToLong(Long::longValue).toArray(), new Shape(labels.size(), 1));
        float[] logLikelihood = logitsNV.logSoftmax(-1).gather(truth, 1).toFloatArray();
        first = first == null ? best : first;
        for (int n = 0; n < best.length; n++) {
          MaskedCounts row = counts[rowOf.get(n)];
          row.correct()[m] += best[n] == labels.get(n) ? 1 : 0;
          row.agreeing()[m] += best[n] == first[n] ? 1 : 0;
          row.nll()[m] -= logLikelihood[n];
        }
      }
    }
    List<RowResult> results = new ArrayList<>();
    for (int row = 0; row < batch.size(); row++) {
      results.add(new RowResult(batch.get(row).id(), Double.NaN, new float[0][], counts[row]));
    }
    return results;
  }

  private Predictor model(int number) throws IOException {
    return Models.predictor(models.get(number).directory());
  }

  private static Batch batch(NDManager manager, List<InputRow> rows) {
    return Batch.of(
        manager,
        rows.stream().map(InputRow::inputIds).toList(),
        rows.stream().map(InputRow::typeIds).toList());
  }
}
