package io.stillhouse.jobs.cache;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.model.Autograd;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Encoder;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Family;
import io.stillhouse.target.TargetChoice;
import io.stillhouse.target.Targets;
import io.stillhouse.train.MicroBatches;
import java.io.IOException;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.LongConsumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetWriter;

/**
 * Runs the teacher over one unit, inside a task, and writes a file for each family that misses
 * columns. Batches are formed inside the unit, in its order, so its bytes do not depend on who
 * computes it.
 *
 * @param cache directory of the cache
 * @param inputs the unit's inputs
 * @param missing what is to be computed
 * @param run how
 */
record TeacherTask(String cache, CacheFile inputs, TargetChoice missing, Run run)
    implements Serializable {

  /** Padded tokens of a batch, and threads of the task. */
  record Run(int tokensPerBatch, int threads) implements Serializable {}

  List<CacheFile> compute(LongConsumer tokensDone) throws IOException {
    Autograd.threads(run.threads());
    Encoder teacher = Models.encoder(new Path(cache, CacheJob.TEACHER).toString());
    Autograd.record(Autograd.Mode.OFF);
    Configuration hadoop = Storage.ofThisProcess().hadoop();
    List<InputRow> rows =
        ParquetRows.read(new Path(cache, inputs.path()), Targets.INPUTS, hadoop).stream()
            .map(InputRow::of)
            .toList();
    Map<Family, OpenFile> files = new EnumMap<>(Family.class);
    try {
      for (Map.Entry<Family, List<Column>> family : missing.columns().entrySet()) {
        files.put(family.getKey(), open(family.getKey(), family.getValue(), teacher, hadoop));
      }
      Capture capture = Capture.of(missing.hidden(), missing.attention());
      for (List<InputRow> batch : MicroBatches.cut(rows, InputRow::length, run.tokensPerBatch())) {
        write(teacher, capture, batch, files);
        tokensDone.accept(batch.stream().mapToLong(InputRow::length).sum());
      }
    } finally {
      for (OpenFile file : files.values()) {
        file.writer().close();
      }
    }
    Storage storage = new Storage(hadoop);
    List<CacheFile> finished = new ArrayList<>();
    for (Map.Entry<Family, OpenFile> entry : files.entrySet()) {
      Path path = new Path(cache, entry.getValue().path());
      finished.add(
          new CacheFile(
              inputs.unit(),
              entry.getKey().id(),
              entry.getValue().path(),
              Targets.withKey(entry.getValue().columns()).stream().map(Column::name).toList(),
              new CacheFile.Size(
                  rows.size(), inputs.size().tokens(), storage.bytes(path), storage.sha256(path))));
    }
    return finished;
  }

  /** A file that is being written. */
  private record OpenFile(String path, List<Column> columns, ParquetWriter<Object[]> writer) {}

  private OpenFile open(Family family, List<Column> columns, Encoder teacher, Configuration hadoop)
      throws IOException {
    String path =
        "%s/unit-%06d-%s.parquet"
            .formatted(family.id(), inputs.unit(), UUID.randomUUID().toString().substring(0, 8));
    Map<String, String> metadata = new HashMap<>();
    metadata.put(Targets.META_VERSION, Integer.toString(Targets.VERSION));
    metadata.put(Targets.META_UNIT, Integer.toString(inputs.unit()));
    metadata.put(Targets.META_DTYPE, missing.dtype().id());
    metadata.put(
        Targets.META_SHAPE,
        switch (family) {
          case LOGITS -> "[%d]".formatted(teacher.spec().head().outputs());
          case HIDDEN -> "[length, %d]".formatted(teacher.spec().hiddenSize());
          case ATTENTION -> "[%d, length, length]".formatted(teacher.spec().heads());
          case INPUTS -> throw new IllegalStateException("the planner writes inputs");
        });
    return new OpenFile(
        path,
        columns,
        ParquetRows.writer(new Path(cache, path), Targets.withKey(columns), metadata, hadoop));
  }

  private void write(
      Encoder teacher, Capture capture, List<InputRow> rows, Map<Family, OpenFile> files)
      throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      Batch batch =
          Batch.of(
              manager,
              rows.stream().map(InputRow::inputIds).toList(),
              rows.stream().map(InputRow::typeIds).toList());
      EncoderOutput output = teacher.forward(batch, capture, Encoder.Phase.INFERENCE);
      for (Map.Entry<Family, OpenFile> entry : files.entrySet()) {
        List<Column> columns = entry.getValue().columns();
        List<ByteBuffer> tensors = new ArrayList<>();
        List<Integer> layers = layers(entry.getKey());
        for (int c = 0; c < columns.size(); c++) {
          tensors.add(
              bytes(
                  switch (entry.getKey()) {
                    case LOGITS -> java.util.Objects.requireNonNull(output.logits());
                    case HIDDEN -> output.hidden(layers.get(c));
                    case ATTENTION -> output.scores(layers.get(c));
                    case INPUTS -> throw new IllegalStateException("the planner writes inputs");
                  }));
        }
        for (int row = 0; row < rows.size(); row++) {
          Object[] values = new Object[2 + tensors.size()];
          values[0] = rows.get(row).id();
          values[1] = rows.get(row).length();
          for (int c = 0; c < tensors.size(); c++) {
            values[2 + c] = cell(entry.getKey(), tensors.get(c), batch, row, teacher);
          }
          entry.getValue().writer().write(values);
        }
      }
    }
  }

  private List<Integer> layers(Family family) {
    return switch (family) {
      case HIDDEN -> missing.hidden();
      case ATTENTION -> missing.attention();
      case INPUTS, LOGITS -> List.of();
    };
  }

  private ByteBuffer bytes(NDArray tensor) {
    NDArray stored =
        missing.dtype() == Dtype.FLOAT32
            ? tensor
            : tensor.toType(DataType.valueOf(missing.dtype().name()), false);
    return stored.toByteBuffer(true);
  }

  /** Cuts one row out of a batch's tensor, without its padding. */
  private byte[] cell(Family family, ByteBuffer tensor, Batch batch, int row, Encoder teacher) {
    int number = missing.dtype().bytes();
    int length = batch.lengths()[row];
    int longest = batch.longest();
    switch (family) {
      case LOGITS -> {
        int bytes = teacher.spec().head().outputs() * number;
        return slice(tensor, row * bytes, new byte[bytes], 0, bytes);
      }
      case HIDDEN -> {
        int token = teacher.spec().hiddenSize() * number;
        return slice(tensor, row * longest * token, new byte[length * token], 0, length * token);
      }
      case ATTENTION -> {
        int heads = teacher.spec().heads();
        int line = length * number;
        byte[] cell = new byte[heads * length * line];
        for (int head = 0; head < heads; head++) {
          for (int query = 0; query < length; query++) {
            int from = ((row * heads + head) * longest + query) * longest * number;
            slice(tensor, from, cell, (head * length + query) * line, line);
          }
        }
        return cell;
      }
      case INPUTS -> throw new IllegalStateException("the planner writes inputs");
    }
    throw new IllegalStateException();
  }

  private static byte[] slice(ByteBuffer from, int at, byte[] to, int offset, int bytes) {
    from.get(at, to, offset, bytes);
    return to;
  }
}
