package io.stillhouse.jobs.cache.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.codec.MlmEncoder;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TargetCells;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Recomputes the targets of rows in float32 cells: with a pass of the live teacher, or as training
 * derives them from stored hidden states.
 *
 * @param seed seed of the draws that the cache was computed with
 */
record LiveTargets(Encoder teacher, long seed) {
  private static final MlmTargets MLM_LOGITS =
      new MlmTargets(MlmTargets.Kind.DENSE, 0, List.of(), Positions.ALL);

  /** A forward pass without gradients. */
  interface Pass {
    EncoderOutput of(Batch batch, Capture capture);
  }

  /** Returns the columns that training can derive from stored hidden states. */
  List<Column> derivable(List<Column> stored) {
    List<Column> derivable = new ArrayList<>();
    int layers = teacher.spec().layers();
    for (int layer = 0; layer < layers; layer++) {
      if (stored.contains(Targets.hidden(layer))) {
        derivable.add(Targets.attention(layer + 1));
        derivable.add(Targets.valueRelations(layer + 1));
      }
    }
    if (teacher.spec().head().task() == Task.MASKED_LM && stored.contains(Targets.hidden(layers))) {
      derivable.addAll(MLM_LOGITS.columns());
    }
    derivable.removeAll(stored);
    return derivable;
  }

  /** Returns rows with the targets that a pass computes for them in one batch. */
  List<Example> computed(Pass pass, List<Example> rows, List<Column> columns) {
    try (NDManager manager = Devices.manager()) {
      Batch batch = new TargetBatch(manager, rows, TeacherParts.NONE).batch();
      Capture capture = Capture.everything(teacher.spec().layers());
      return examples(pass.of(batch, capture), batch, rows, columns);
    }
  }

  /** Returns rows with the targets that training derives from their stored cells. */
  List<Example> derived(List<Example> rows, List<Column> columns) {
    try (NDManager manager = Devices.manager()) {
      TargetBatch stored = new TargetBatch(manager, rows, new TeacherParts(teacher, MLM_LOGITS));
      Map<Integer, NDArray> scores = new HashMap<>();
      Map<Integer, NDArray> valueRelations = new HashMap<>();
      int layers = teacher.spec().layers();
      for (int block = 1; block <= layers; block++) {
        if (columns.contains(Targets.attention(block))) {
          scores.put(block, teacher.scores(block, stored.hiddenBLD(block - 1)));
        }
        if (columns.contains(Targets.valueRelations(block))) {
          valueRelations.put(block, teacher.valueRelations(block, stored.hiddenBLD(block - 1)));
        }
      }
      // The last state is read only if masked-LM logits are derived; otherwise, any state will do.
      boolean last = rows.get(0).has(Targets.hidden(layers));
      NDArray lastBLD = stored.hiddenBLD(last ? layers : 0);
      EncoderOutput output =
          new EncoderOutput(lastBLD, Map.of(), scores, valueRelations, Map.of(), null);
      return examples(output, stored.batch(), rows, columns);
    }
  }

  private List<Example> examples(
      EncoderOutput output, Batch batch, List<Example> rows, List<Column> columns) {
    List<Map<String, byte[]>> cells = new ArrayList<>();
    rows.forEach(row -> cells.add(new HashMap<>()));
    for (Column column : columns) {
      List<byte[]> columnCells = cells(output, batch, rows, column);
      for (int row = 0; row < rows.size(); row++) {
        cells.get(row).put(column.name(), columnCells.get(row));
      }
    }
    List<Example> result = new ArrayList<>();
    for (int row = 0; row < rows.size(); row++) {
      Example old = rows.get(row);
      result.add(new Example(old.id(), old.inputs(), Dtype.FLOAT32, cells.get(row)));
    }
    return result;
  }

  private List<byte[]> cells(EncoderOutput output, Batch batch, List<Example> rows, Column column) {
    for (int layer = 0; layer <= teacher.spec().layers(); layer++) {
      if (column.equals(Targets.hidden(layer))) {
        return TargetCells.tokens(output.hidden(layer), batch, Dtype.FLOAT32);
      }
      if (layer > 0 && column.equals(Targets.attention(layer))) {
        return TargetCells.pairs(output.scores(layer), batch, Dtype.FLOAT32);
      }
      if (layer > 0 && column.equals(Targets.valueRelations(layer))) {
        return TargetCells.pairs(output.valueRelations(layer), batch, Dtype.FLOAT32);
      }
    }
    if (column.equals(Targets.LOGITS)) {
      return TargetCells.vectors(Objects.requireNonNull(output.logits()), Dtype.FLOAT32);
    }
    return mlmCells(output, batch, rows, column.name());
  }

  private List<byte[]> mlmCells(
      EncoderOutput output, Batch batch, List<Example> rows, String column) {
    List<MlmEncoder.Row> keys =
        rows.stream().map(row -> new MlmEncoder.Row(row.id(), row.inputs().mlmLabels())).toList();
    return new MlmEncoder(teacher, MlmTargets.of(column), Dtype.FLOAT32, seed)
        .cells(output.last(), batch, keys).entrySet().stream()
            .filter(entry -> entry.getKey().name().equals(column))
            .findFirst()
            .orElseThrow()
            .getValue();
  }
}
