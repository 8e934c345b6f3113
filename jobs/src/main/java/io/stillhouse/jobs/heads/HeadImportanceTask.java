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

/**
 * Computes the gradients of batches of rows, inside a task.
 *
 * @param batches whose sums depend on nothing but the batch, whatever else the task has
 * @param model a Hugging Face directory
 * @param threads of libtorch
 */
record HeadImportanceTask(List<Batch> batches, String model, int threads) implements Serializable {

  /** Rows that are computed at once, and which batch of all they are. */
  record Batch(int number, List<InputRow> rows) implements Serializable {}

  /** What came of a batch. */
  record Result(int number, HeadSums sums) implements Serializable {}

  List<Result> run(LongConsumer tokensDone) throws IOException {
    Autograd.threads(threads);
    Autograd.record(Autograd.Mode.OFF);
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
                HeadSums.of(HeadGradients.of(manager, Models.recorded(model), rows))));
      }
      tokensDone.accept(batch.rows().stream().mapToLong(InputRow::length).sum());
    }
    return results;
  }
}
