package io.stillhouse.jobs.train.student;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.config.Options;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.cache.read.JoinedReader;
import io.stillhouse.jobs.cache.read.KeyedRows;
import io.stillhouse.jobs.cache.read.PlannedReader;
import io.stillhouse.jobs.corpus.WordVectorFile;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Column;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.TargetSource;
import io.stillhouse.target.Targets;
import io.stillhouse.train.BiLstmInit;
import io.stillhouse.train.HeadPruning;
import io.stillhouse.train.StudentInit;
import io.stillhouse.train.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The inputs that a task needs to train a student: its initial weights, its targets, and the
 * teachers' weights that rebuild targets. Every cache is opened once.
 */
public final class StudentParts {
  private static final String PROJECTIONS = "projections.safetensors";

  private final StudentRun run;
  private final Storage storage;
  private final TeacherTargets first;
  private final List<TeacherTargets> additional;
  private @Nullable TeacherTargets validation;

  /**
   * Opens the caches of a student.
   *
   * @throws io.stillhouse.error.StillhouseException if one of them has grown since the training
   *     began
   */
  public StudentParts(StudentRun run, Storage storage) throws IOException {
    this.run = run;
    this.storage = storage;
    this.first = open(run.paths().source(), run.loss());
    this.additional = new ArrayList<>();
    for (JoinedTeachers.AdditionalTeacher each : run.paths().joined().additional()) {
      additional.add(open(each.source(), each.loss()));
    }
  }

  private TeacherTargets open(CacheSource source, DistillSpec loss) throws IOException {
    return TeacherTargets.of(source.open(storage, run), loss, run.paths().targetStorage());
  }

  public Trainer.Setup setup() {
    return new Trainer.Setup(
        run.model(),
        run.loss(),
        run.paths().joined().teachers(),
        run.train(),
        run.start().pruned(),
        run.fingerprint());
  }

  /** Returns the rows with the targets that the student reads, in the student's order of shards. */
  public TargetSource source() throws IOException {
    return source(columns());
  }

  /**
   * Returns the rows as {@link #source()} does, with the given columns, which other students of the
   * same teachers may read as well.
   *
   * @param columns the columns of each teacher, the first before the additional ones
   */
  public TargetSource source(List<Set<Column>> columns) throws IOException {
    KeyedRows firstRows = inOrder(first.reader().with(columns.get(0)), run.train());
    JoinedTeachers joined = run.paths().joined();
    if (joined.equals(JoinedTeachers.NONE)) {
      return firstRows;
    }
    List<JoinedReader.AdditionalTeacher> others = new ArrayList<>();
    for (int number = 0; number < additional.size(); number++) {
      JoinedTeachers.AdditionalTeacher each = joined.additional().get(number);
      CacheReader reader = additional.get(number).reader().with(columns.get(number + 1));
      others.add(
          new JoinedReader.AdditionalTeacher(each.name(), reader, each.shards(), each.tokens()));
    }
    return new JoinedReader(firstRows, others, joined.leftOut());
  }

  /** Returns a cache's rows in the order of shards that a training with one teacher reads. */
  public static KeyedRows inOrder(CacheReader reader, TrainSpec train) {
    return train.batching().order() == TrainSpec.Order.PLAN ? new PlannedReader(reader) : reader;
  }

  /** Returns the number of rows that a student is trained on in an epoch. */
  public static long rows(CacheReader reader, StudentRun run) {
    List<Integer> all = inOrder(reader, run.train()).shardRows();
    return JoinedReader.remaining(all, run.paths().joined().leftOut()).stream()
        .mapToLong(Integer::longValue)
        .sum();
  }

  /** Returns the reader of the student's own cache, without target columns. */
  CacheReader reader() {
    return first.reader();
  }

  /** Returns the columns that the student reads of each teacher, the first before the others. */
  public List<Set<Column>> columns() {
    return ofAllTeachers(ColumnSelection::columns);
  }

  /** Returns the names of the weights of each teacher that rebuild what is not stored. */
  public List<Set<String>> teacherTensors() {
    return ofAllTeachers(ColumnSelection::teacherTensors);
  }

  private <T> List<T> ofAllTeachers(Function<ColumnSelection, T> selector) {
    return Stream.concat(Stream.of(first), additional.stream())
        .map(targets -> selector.apply(targets.selection()))
        .toList();
  }

  /**
   * Returns the rows of the validation cache, with the teacher's task logits if they are stored.
   *
   * @param cache the cache's directory
   */
  TargetSource validationRows(String cache) throws IOException {
    TeacherTargets targets = validation(cache);
    Set<Column> columns = new LinkedHashSet<>(targets.selection().columns());
    if (teacher().spec().head().task().pooled() && targets.reader().has(Targets.LOGITS)) {
      columns.add(Targets.LOGITS);
    }
    return targets.reader().with(columns);
  }

  private TeacherTargets validation(String cache) throws IOException {
    TeacherTargets opened = validation;
    if (opened == null) {
      CacheReader reader = TaskCaches.open(storage, new Path(cache), run.paths().teacher());
      // It was created with the same teacher, so the student's own cache provides the weights.
      opened =
          new TeacherTargets(
              reader,
              teacher(),
              ColumnSelection.of(
                  run.loss(), teacher().spec(), run.paths().targetStorage(), reader::has));
      validation = opened;
    }
    return opened;
  }

  HuggingFaceDirectory teacher() {
    return first.teacher();
  }

  /** Returns the student's weights before the first step, and its projections. */
  public Map<String, NDArray> initial(NDManager manager) throws IOException {
    long seed = run.train().run().seed();
    if (run.model() instanceof BiLstmSpec biLstm) {
      return initial(manager, biLstm, seed);
    }
    EncoderSpec encoder = (EncoderSpec) run.model();
    String start = run.start().directory();
    Map<String, NDArray> weights =
        start == null
            ? StudentInit.random(manager, encoder, seed)
            : StudentInit.from(
                manager,
                encoder,
                HuggingFaceDirectory.open(Models.copy(start)),
                run.start().blocks(),
                seed);
    HeadPruning.zeroWeights(encoder, run.start().pruned(), weights);
    Map<String, NDArray> projections =
        StudentInit.projections(
            manager, run.loss(), encoder.hiddenSize(), teacher().spec().hiddenSize(), seed);
    if (start != null) {
      resumeProjections(Models.copy(start), projections, manager);
    }
    weights.putAll(projections);
    return weights;
  }

  /** Replaces projections with those that the model at {@code start} was trained with, if any. */
  private static void resumeProjections(
      java.nio.file.Path start, Map<String, NDArray> projections, NDManager manager)
      throws IOException {
    java.nio.file.Path file = start.resolve(PROJECTIONS);
    if (!Files.exists(file)) {
      return;
    }
    SafeTensors learnt = SafeTensors.open(file);
    projections.replaceAll(
        (name, fresh) ->
            learnt.names().contains(name) && learnt.shape(name).equals(fresh.getShape())
                ? learnt.read(name, manager)
                : fresh);
  }

  /**
   * Writes a student's projections to its directory, if it has any; a later stage starts from them.
   */
  static void writeProjections(java.nio.file.Path directory, Map<String, NDArray> weights)
      throws IOException {
    Map<String, NDArray> projections = new LinkedHashMap<>(weights);
    projections.keySet().removeIf(name -> !DistillLoss.isProjection(name));
    if (!projections.isEmpty()) {
      SafeTensors.write(directory.resolve(PROJECTIONS), projections, Map.of());
    }
  }

  private Map<String, NDArray> initial(NDManager manager, BiLstmSpec model, long seed)
      throws IOException {
    String start = run.start().directory();
    if (start == null) {
      return BiLstmInit.random(manager, model, Map.of(), seed);
    }
    if (start.equals(teacherDirectory())) {
      return BiLstmInit.from(manager, model, teacher(), seed);
    }
    java.nio.file.Path copy = Models.copy(start);
    if (Files.isDirectory(copy)) { // written by an earlier stage
      return ModelDirectory.open(copy).weights(manager);
    }
    Map<Integer, float[]> known =
        new WordVectorFile(storage, Options.WORD_VECTORS.key(), start)
            .of(Models.tokenizer(teacherDirectory()));
    return BiLstmInit.random(manager, model, known, seed);
  }

  private String teacherDirectory() {
    return TeacherFolder.model(new Path(run.paths().cache()), run.paths().teacher()).toString();
  }

  /** Loads the teachers' weights that rebuild targets of the caches; no others are read. */
  public TeacherParts teacherParts(NDManager manager) throws IOException {
    MlmTargets mlm = run.paths().targetStorage().mlm();
    TeacherParts firstParts = first.parts(manager, mlm);
    if (additional.isEmpty()) {
      return firstParts;
    }
    List<TeacherParts> others = new ArrayList<>();
    for (TeacherTargets targets : additional) {
      others.add(targets.parts(manager, mlm));
    }
    return new TeacherParts(firstParts.encoder(), firstParts.mlm(), others);
  }

  /** Loads the first teacher's weights that rebuild targets of the validation rows. */
  TeacherParts validationParts(NDManager manager, String cache) throws IOException {
    return validation(cache).parts(manager, run.paths().targetStorage().mlm());
  }
}
