package io.stillhouse;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.MlmEncoder;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TargetCells;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A masked-LM teacher's output for the golden rows, and batches that read it back from cells. */
public abstract class CachedTargets {
  protected final NDManager manager = NDManager.newBaseManager();
  protected Encoder teacher;
  protected List<Example> rows;
  protected Batch batch;
  protected EncoderOutput live;

  @BeforeEach
  void runTeacher() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    HuggingFaceDirectory directory =
        HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-mlm-v1"));
    teacher = new Encoder(directory.spec(), directory.weights(manager));
    rows = new Golden("bert-tiny-mlm-v1/golden.safetensors", manager).examples();
    batch = new TargetBatch(manager, rows, TeacherParts.NONE).batch();
    live = teacher.forward(batch, Capture.everything(3), Dropout.NONE);
  }

  @AfterEach
  void close() {
    manager.close();
  }

  /** Returns the teacher's logits of tokens, (N, V). */
  protected NDArray liveLogits(Positions positions) {
    TargetBatch targets = new TargetBatch(manager, rows, TeacherParts.NONE);
    return teacher.maskedLmLogits(
        positions == Positions.ALL
            ? targets.realTokensND(live.last())
            : targets.maskedTokensND(live.last()));
  }

  /** Returns a batch whose targets went through cells of a dtype. */
  protected TargetBatch cached(
      Dtype dtype, List<Integer> hidden, List<Integer> attention, MlmTargets mlm) {
    Map<Column, List<byte[]>> cells = new HashMap<>();
    hidden.forEach(
        layer ->
            cells.put(Targets.hidden(layer), TargetCells.tokens(live.hidden(layer), batch, dtype)));
    attention.forEach(
        block ->
            cells.put(
                Targets.attention(block), TargetCells.pairs(live.scores(block), batch, dtype)));
    if (mlm.stored()) {
      cells.putAll(encode(mlm, dtype, 1, rows));
    }
    return read(mlm, dtype, cells);
  }

  /** Returns the cells of some rows' soft labels, encoded on their own. */
  protected Map<Column, List<byte[]>> encode(
      MlmTargets mlm, Dtype dtype, long seed, List<Example> some) {
    Batch batch = new TargetBatch(manager, some, TeacherParts.NONE).batch();
    NDArray last = teacher.forward(batch, Capture.NONE, Dropout.NONE).last();
    return new MlmEncoder(teacher, mlm, dtype, seed)
        .cells(
            last,
            batch,
            some.stream()
                .map(row -> new MlmEncoder.Row(row.id(), row.inputs().mlmLabels()))
                .toList());
  }

  /** Returns a batch of the rows with these cells. */
  protected TargetBatch read(MlmTargets mlm, Dtype dtype, Map<Column, List<byte[]>> cells) {
    List<Example> read = new ArrayList<>();
    for (int row = 0; row < rows.size(); row++) {
      Map<String, byte[]> batch = new HashMap<>();
      for (Map.Entry<Column, List<byte[]>> column : cells.entrySet()) {
        batch.put(column.getKey().name(), column.getValue().get(row));
      }
      read.add(new Example(rows.get(row).id(), rows.get(row).inputs(), dtype, batch));
    }
    return new TargetBatch(manager, read, new TeacherParts(teacher, mlm));
  }
}
