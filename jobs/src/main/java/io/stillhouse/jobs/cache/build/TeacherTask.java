package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.codec.MlmEncoder;
import io.stillhouse.codec.TargetCells;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.InvalidRow;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.corpus.InvalidRows;
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
import org.apache.spark.TaskContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the teacher over one shard, inside a Spark task, and writes a file for each family that
 * lacks columns. Batches are formed only from the rows of the shard, in order, so that its bytes do
 * not depend on where it is computed.
 *
 * @param cache directory of the cache
 * @param inputs the shard's inputs
 * @param choice targets to compute
 * @param missing names of the columns to write
 * @param pass how the teacher runs
 */
record TeacherTask(
    String cache, CacheFile inputs, TargetChoice choice, Set<String> missing, PassOptions pass)
    implements Serializable {
  private static final Logger LOG = LoggerFactory.getLogger(TeacherTask.class);

  /** Maximum number of batch pieces whose cells wait in memory to be written. */
  private static final int PIECES_WAITING = 2;

  /** Maximum size of the cells of a piece, unless a single row is larger. */
  private static final long PIECE_BYTES = 32L << 20;

  /**
   * How the teacher runs.
   *
   * @param teacher its name, "" for the first one
   * @param batchTokens maximum number of tokens in a batch, including padding
   * @param precision precision of matrix products
   * @param threads number of threads of the task
   * @param seed seed for drawing sampled soft labels
   */
  record PassOptions(String teacher, int batchTokens, Precision precision, int threads, long seed)
      implements Serializable {}

  /**
   * What a task has written.
   *
   * @param files finished files
   * @param invalid rows for which the teacher's output is not finite
   * @param loadSeconds how long the task waited for the teacher to be loaded
   */
  record ShardTargets(List<CacheFile> files, List<InvalidRow> invalid, double loadSeconds)
      implements Serializable {}

  int shard() {
    return inputs.shard();
  }

  /**
   * Computes and writes what the shard lacks.
   *
   * @param tokensDone receives the number of tokens after each batch
   */
  ShardTargets compute(LongConsumer tokensDone) throws IOException {
    LOG.info(
        "{}: starting on {}, {} rows, {} tokens, to write {}",
        label(),
        Devices.ofTask(),
        inputs.size().rows(),
        inputs.size().tokens(),
        missing);
    long start = System.nanoTime();
    Autograd.threads(pass.threads());
    InferenceEncoder teacher =
        Models.encoder(
            TeacherFolder.model(new Path(cache), pass.teacher()).toString(), pass.precision());
    double loadSeconds = (System.nanoTime() - start) / 1e9;
    Autograd.record(Autograd.Mode.OFF);
    Storage storage = Storage.ofThisProcess();
    List<InputRow> rows = readInputs(storage);
    List<InvalidRow> invalid = new ArrayList<>();
    List<CacheFile> files = write(teacher, rows, invalid, tokensDone, storage);
    if (!invalid.isEmpty()) {
      LOG.warn(
          "{}: {} of {} rows have no targets, because {}, such as row '{}'; if there are more than"
              + " corpus.max-invalid allows, correct the corpus or the teacher",
          label(),
          invalid.size(),
          rows.size(),
          InvalidRows.NOT_FINITE,
          invalid.get(0).id());
    }
    LOG.info(
        "{}: done in {} s, of which {} s loading the teacher",
        label(),
        seconds((System.nanoTime() - start) / 1e9),
        seconds(loadSeconds));
    return new ShardTargets(files, invalid, loadSeconds);
  }

  /** Names the shard and the attempt in the log. */
  private String label() {
    TaskContext task = TaskContext.get();
    return format(
        "shard %d, attempt %d%s",
        shard(),
        task == null ? 0 : task.attemptNumber(),
        pass.teacher().isEmpty() ? "" : format(", teacher '%s'", pass.teacher()));
  }

  private static String seconds(double seconds) {
    return format("%.1f", seconds);
  }

  private List<InputRow> readInputs(Storage storage) throws IOException {
    return ParquetRows.read(
            new CheckedFile(storage, new Path(cache), inputs), Targets.INPUTS, storage.hadoop())
        .stream()
        .map(InputRow::of)
        .toList();
  }

  private List<CacheFile> write(
      InferenceEncoder teacher,
      List<InputRow> rows,
      List<InvalidRow> invalid,
      LongConsumer tokensDone,
      Storage storage)
      throws IOException {
    Map<Family, OpenFile> files = new EnumMap<>(Family.class);
    try (Overlapped writing = new Overlapped(PIECES_WAITING)) {
      for (Map.Entry<Family, List<Column>> family : missingColumns().entrySet()) {
        files.put(
            family.getKey(),
            open(family.getKey(), family.getValue(), teacher.encoder().spec(), storage));
      }
      // Rows without tokens come first, as they do in the inputs, which are sorted by length.
      for (InputRow row : rows.stream().filter(row -> !row.hasTokens()).toList()) {
        write(row, null, files);
      }
      List<InputRow> withTokens = rows.stream().filter(InputRow::hasTokens).toList();
      for (List<InputRow> batch :
          MicroBatches.split(
              withTokens, InputRow::length, pass.batchTokens(), MicroBatches.Phase.INFERENCE)) {
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
    return finished;
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
        format(
            "%s%s/shard-%06d-%s.parquet",
            TeacherFolder.prefix(pass.teacher()),
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
                  ? format("[%d]", teacher.head().outputs())
                  : format(
                      "[tokens with soft labels, values kept of a vocabulary of %d]",
                      teacher.embeddings().vocabSize());
          case HIDDEN -> format("[length, %d]", teacher.hiddenSize());
          case ATTENTION -> format("[%d, length, length]", teacher.heads());
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
        pass.teacher());
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
        EncoderOutput pieceOutput = output.rows(from, to);
        boolean[] invalidRow = TargetCells.invalidRows(pieceOutput, choice.dtype(), piece.size());
        Map<String, List<byte @Nullable []>> cells =
            cells(teacher.encoder(), pieceOutput, batch.rows(from, to), piece);
        for (int row = 0; row < piece.size(); row++) {
          int at = row;
          invalidRow[row] |= cells.values().stream().anyMatch(column -> column.get(at) == null);
          if (invalidRow[row]) {
            invalid.add(
                new InvalidRow(
                    inputs.shard(), piece.get(row).id(), InvalidRows.NOT_FINITE, pass.teacher()));
          }
        }
        writing.submit(() -> write(piece, invalidRow, cells, files));
        from = to;
      }
    }
  }

  /**
   * Returns the end of a piece of a batch. Pieces limit the bytes of cells that wait to be written.
   */
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

  /** Writes a piece; its tensors may be closed by now, but its cells are copies. */
  private static void write(
      List<InputRow> rows,
      boolean[] invalidRow,
      Map<String, List<byte @Nullable []>> cells,
      Map<Family, OpenFile> files)
      throws IOException {
    for (int row = 0; row < rows.size(); row++) {
      int at = row;
      write(
          rows.get(row),
          invalidRow[row]
              ? null
              : column -> Objects.requireNonNull(cells.get(column.name())).get(at),
          files);
    }
  }

  /** Returns a row's cell of a column. */
  private interface Cells {
    byte @Nullable [] of(Column column);
  }

  /** Writes a row to every file; its tensors are null if there are no cells. */
  private static void write(InputRow row, @Nullable Cells cells, Map<Family, OpenFile> files)
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
      new MlmEncoder(teacher, choice.mlm(), dtype, pass.seed())
          .cells(output.last(), batch, keys)
          .forEach((column, columnCells) -> cells.put(column.name(), columnCells));
    }
    return cells;
  }
}
