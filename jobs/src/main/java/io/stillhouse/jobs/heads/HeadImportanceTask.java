package io.stillhouse.jobs.heads;

import ai.djl.ndarray.NDManager;
import io.stillhouse.evaluate.HeadGradients;
import io.stillhouse.evaluate.HeadSums;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import org.apache.spark.TaskContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Computes the gradients of attention heads for batches of rows, inside a Spark task. The sums of a
 * batch do not depend on the other batches of the task.
 *
 * @param batches batches of rows
 * @param model a Hugging Face directory
 * @param threads libtorch's threads
 */
record HeadImportanceTask(List<Batch> batches, String model, int threads) implements Serializable {
  private static final Logger LOG = LoggerFactory.getLogger(HeadImportanceTask.class);

  /** Rows that are computed at once, and the number of their batch. */
  record Batch(int number, List<InputRow> rows) implements Serializable {}

  /** The sums of a batch. */
  record Result(int number, HeadSums sums) implements Serializable {}

  List<Result> run(LongConsumer tokensDone) throws IOException {
    Autograd.threads(threads);
    Autograd.record(Autograd.Mode.OFF);
    LOG.info(
        "Task {}: measuring the heads of '{}' on {} batches, on {} with {} threads",
        TaskContext.getPartitionId(),
        model,
        batches.size(),
        Devices.ofTask(),
        threads);
    long began = System.nanoTime();
    List<Result> results = new ArrayList<>();
    for (Batch batch : batches) {
      List<Example> rows =
          batch.rows().stream()
              .map(row -> new Example(row.id(), row.inputs(), Dtype.FLOAT32, Map.of()))
              .toList();
      try (NDManager manager = Devices.manager()) {
        results.add(
            new Result(
                batch.number(),
                HeadSums.of(HeadGradients.of(manager, Models.trainableEncoder(model), rows))));
      }
      tokensDone.accept(batch.rows().stream().mapToLong(InputRow::length).sum());
    }
    LOG.info(
        "Task {}: measured {} batches in {} ms",
        TaskContext.getPartitionId(),
        batches.size(),
        (System.nanoTime() - began) / 1_000_000);
    return results;
  }
}
