package io.stillhouse.jobs.cache.build;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.codec.MlmEncoder;
import io.stillhouse.codec.TargetCells;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.InvalidRow;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Overlapped;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.model.encoder.InferenceEncoder;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Family;
import io.stillhouse.target.TargetChoice;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.train.MicroBatches;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.function.LongConsumer;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetWriter;
import org.jspecify.annotations.Nullable;

/**
 * Runs the teacher over one shard, inside a task, and writes a file for each family that misses
 * columns. Batches are formed inside the shard, in its order, so its bytes do not depend on who
 * computes it.
 *
 * @param cache directory of the cache
 * @param inputs the shard's inputs
 * @param choice what is to be computed
 * @param missing names of the columns that are to be written
 * @param run how
 */
record TeacherTask(
    String cache, CacheFile inputs, TargetChoice choice, Set<String> missing, Run run)
    implements Serializable {
  /** Pieces of batches whose cells wait in memory to be written. */
  private static final int PIECES_WAITING = 2;

  /** What the cells of a piece take, unless one row takes more. */
  private static final long PIECE_BYTES = 32L << 20;

  /**
   * Name of the teacher, padded tokens of a batch, what products are computed in, threads of the
   * task, seed of draws.
   */
  record Run(String teacher, int tokensPerBatch, Precision precision, int threads, long seed)
      implements Serializable {}

  /**
   * What a task leaves: finished files, rows without finite output, and the seconds that it waited
   * for the teacher to be loaded.
   */
  record Done(List<CacheFile> files, List<InvalidRow> invalid, double loadSeconds)
      implements Serializable {}

  int shard() {
    return inputs.shard();
  }

  Done compute(LongConsumer tokensDone) throws IOException {
    Autograd.threads(run.threads());
    long start = System.nanoTime();
    InferenceEncoder teacher =
        Models.encoder(
            TeacherFolder.model(new Path(cache), run.teacher()).toString(), run.precision());
    double loadSeconds = (System.nanoTime() - start) / 1e9;
    Autograd.record(Autograd.Mode.OFF);
    Storage storage = Storage.ofThisProcess();
    List<InputRow> rows =
        ParquetRows.read(
                new CheckedFile(storage, new Path(cache), inputs), Targets.INPUTS, storage.hadoop())
            .stream()
            .map(InputRow::of)
            .toList();
    Map<Family, OpenFile> files = new EnumMap<>(Family.class);
    List<InvalidRow> invalid = new ArrayList<>();
    try (Overlapped writing = new Overlapped(PIECES_WAITING)) {
      for (Map.Entry<Family, List<Column>> family : missingColumns().entrySet()) {
        files.put(
            family.getKey(),
            open(family.getKey(), family.getValue(), teacher.encoder().spec(), storage));
      }
      // Rows without tokens are the shortest, so they come first, as they do in the inputs.
      for (InputRow row : rows.stream().filter(row -> !row.sound()).toList()) {
        write(row, null, files);
      }
      List<InputRow> sound = rows.stream().filter(InputRow::sound).toList();
      for (List<InputRow> batch :
          MicroBatches.cut(
              sound, InputRow::length, run.tokensPerBatch(), MicroBatches.Phase.INFERENCE)) {
        write(teacher, batch, files, invalid, writing);
        tokensDone.accept(batch.stream().mapToLong(InputRow::length).sum());
      }
      writing.finish();
    } finally {
      for (OpenFile file : files.values()) {
        file.writer().close();
      }
    }
    List<CacheFile> finished = new ArrayList<>();
    for (Map.Entry<Family, OpenFile> entry : files.entrySet()) {
      finished.add(finish(entry.getKey(), entry.getValue(), rows.size(), storage));
    }
    return new Done(finished, invalid, loadSeconds);
  }

  private Map<Family, List<Column>> missingColumns() {
    Map<Family, List<Column>> columns = new EnumMap<>(Family.class);
    choice
        .columns()
        .forEach(
            (family, all) ->
                columns.put(family, all.stream().filter(c -> missing.contains(c.name())).toList()));
    columns.values().removeIf(List::isEmpty);
    return columns;
  }

  /** A file that is being written. */
  private record OpenFile(String path, List<Column> columns, ParquetWriter<Object[]> writer) {}

  private OpenFile open(Family family, List<Column> columns, EncoderSpec teacher, Storage storage)
      throws IOException {
    String path =
        "%s%s/shard-%06d-%s.parquet"
            .formatted(
                TeacherFolder.prefix(run.teacher()),
                family.id(),
                inputs.shard(),
                UUID.randomUUID().toString().substring(0, 8));
    Map<String, String> metadata = new HashMap<>();
    metadata.put(Targets.META_VERSION, Integer.toString(Targets.VERSION));
    metadata.put(Targets.META_SHARD, Integer.toString(inputs.shard()));
    for (Column column : columns) {
      if (column.type().floating()) {
        metadata.put(Targets.META_DTYPE + "." + column.name(), column.dtype(choice.dtype()).id());
      }
    }
    metadata.put(Targets.META_HEADS, Integer.toString(teacher.heads()));
    metadata.put(
        Targets.META_SHAPE,
        switch (family) {
          case LOGITS ->
              teacher.head().task().pooled()
                  ? "[%d]".formatted(teacher.head().outputs())
                  : "[tokens with soft labels, what is kept of a vocabulary of %d]"
                      .formatted(teacher.embeddings().vocabSize());
          case HIDDEN -> "[length, %d]".formatted(teacher.hiddenSize());
          case ATTENTION -> "[%d, length, length]".formatted(teacher.heads());
          case INPUTS -> throw new IllegalStateException("the planner writes inputs");
        });
    return new OpenFile(
        path,
        columns,
        ParquetRows.writer(
            new Path(cache, path), Targets.withKey(columns), metadata, storage.hadoop()));
  }

  private CacheFile finish(Family family, OpenFile file, int rows, Storage storage)
      throws IOException {
    Path path = new Path(cache, file.path());
    return new CacheFile(
        inputs.shard(),
        family.id(),
        file.path(),
        Targets.withKey(file.columns()).stream().map(Column::name).toList(),
        new CacheFile.Size(rows, inputs.size().tokens(), storage.bytes(path)),
        CheckedFile.hash(storage, path),
        run.teacher());
  }

  private void write(
      InferenceEncoder teacher,
      List<InputRow> rows,
      Map<Family, OpenFile> files,
      List<InvalidRow> invalid,
      Overlapped writing)
      throws IOException {
    try (NDManager manager = Devices.manager()) {
      Batch batch =
          Batch.of(
              manager,
              rows.stream().map(InputRow::inputIds).toList(),
              rows.stream().map(InputRow::typeIds).toList());
      Capture capture =
          new Capture(
              Set.copyOf(choice.hidden()),
              Set.copyOf(choice.attention()),
              Set.copyOf(choice.valueRelations()),
              Map.of());
      EncoderOutput output = teacher.forward(batch, capture);
      for (int from = 0; from < rows.size(); ) {
        int to = pieceEnd(teacher.encoder().spec(), rows, from);
        List<InputRow> piece = rows.subList(from, to);
        EncoderOutput own = output.rows(from, to);
        boolean[] broken = broken(own, piece.size());
        Map<String, List<byte @Nullable []>> cells =
            cells(teacher.encoder(), own, batch.rows(from, to), piece);
        for (int row = 0; row < piece.size(); row++) {
          int at = row;
          broken[row] |= cells.values().stream().anyMatch(column -> column.get(at) == null);
          if (broken[row]) {
            invalid.add(
                new InvalidRow(
                    inputs.shard(),
                    piece.get(row).id(),
                    "the teacher's output is not finite",
                    run.teacher()));
          }
        }
        writing.then(() -> write(piece, broken, cells, files));
        from = to;
      }
    }
  }

  /** Returns the end of a piece of a batch: what waits to be written is bounded in bytes. */
  private int pieceEnd(EncoderSpec teacher, List<InputRow> rows, int from) {
    long bytes = 0;
    int to = from;
    while (to < rows.size()) {
      bytes += choice.cellBytes(rows.get(to).length(), teacher);
      if (bytes > PIECE_BYTES && to > from) {
        break;
      }
      to++;
    }
    return to;
  }

  /** Writes a piece, whose tensors may be gone by now: its cells are copies. */
  private static void write(
      List<InputRow> rows,
      boolean[] broken,
      Map<String, List<byte @Nullable []>> cells,
      Map<Family, OpenFile> files)
      throws IOException {
    for (int row = 0; row < rows.size(); row++) {
      int at = row;
      write(rows.get(row), broken[row] ? null : column -> cells.get(column.name()).get(at), files);
    }
  }

  /** Gives a row's cell of a column. */
  private interface Cells {
    byte[] of(Column column);
  }

  /** Writes a row to every file; its tensors are null where there are no cells. */
  private static void write(InputRow row, Cells cells, Map<Family, OpenFile> files)
      throws IOException {
    for (OpenFile file : files.values()) {
      Object[] values = new Object[2 + file.columns().size()];
      values[0] = row.id();
      values[1] = row.length();
      for (int c = 0; cells != null && c < file.columns().size(); c++) {
        values[2 + c] = cells.of(file.columns().get(c));
      }
      file.writer().write(values);
    }
  }

  /** Returns which rows have a number in any state or logit that is not finite, or not stored. */
  private boolean[] broken(EncoderOutput output, int rows) {
    boolean[] broken = new boolean[rows];
    List<NDArray> stored = new ArrayList<>(output.hidden().values());
    stored.addAll(output.scores().values());
    stored.addAll(output.valueRelations().values());
    stored.forEach(tensor -> add(TargetCells.broken(tensor, choice.dtype()), broken));
    add(TargetCells.broken(output.last(), Dtype.FLOAT32), broken);
    if (output.logits() != null) {
      add(TargetCells.broken(output.logits(), Dtype.FLOAT32), broken);
    }
    return broken;
  }

  private static void add(boolean[] more, boolean[] to) {
    for (int row = 0; row < to.length; row++) {
      to[row] |= more[row];
    }
  }

  /** Returns the cells of all rows, by column; null where a masked-LM logit is not finite. */
  private Map<String, List<byte @Nullable []>> cells(
      Encoder teacher, EncoderOutput output, Batch batch, List<InputRow> rows) {
    Map<String, List<byte @Nullable []>> cells = new LinkedHashMap<>();
    Dtype dtype = choice.dtype();
    if (choice.logits() == TargetChoice.Logits.STORED) {
      NDArray logits = Objects.requireNonNull(output.logits());
      cells.put(Targets.LOGITS.name(), TargetCells.vectors(logits, Targets.LOGITS.dtype(dtype)));
    }
    for (int layer : choice.hidden()) {
      cells.put(
          Targets.hidden(layer).name(), TargetCells.tokens(output.hidden(layer), batch, dtype));
    }
    for (int block : choice.attention()) {
      cells.put(
          Targets.attention(block).name(), TargetCells.pairs(output.scores(block), batch, dtype));
    }
    for (int block : choice.valueRelations()) {
      cells.put(
          Targets.valueRelations(block).name(),
          TargetCells.pairs(output.valueRelations(block), batch, dtype));
    }
    if (choice.mlm().stored()) {
      List<MlmEncoder.Row> keys =
          rows.stream().map(row -> new MlmEncoder.Row(row.id(), row.mlmLabels())).toList();
      new MlmEncoder(teacher, choice.mlm(), dtype, run.seed())
          .cells(output.last(), batch, keys)
          .forEach((column, own) -> cells.put(column.name(), own));
    }
    return cells;
  }
}
