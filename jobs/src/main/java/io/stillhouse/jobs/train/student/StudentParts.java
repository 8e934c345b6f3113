package io.stillhouse.jobs.train.student;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.config.Options;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.cache.read.JoinedReader;
import io.stillhouse.jobs.cache.read.KeyedRows;
import io.stillhouse.jobs.cache.read.PlannedReader;
import io.stillhouse.jobs.corpus.WordVectorFile;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Column;
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

/** What a task needs to train a student: its first weights, its targets, the teacher's parts. */
public final class StudentParts {
  private static final String PROJECTIONS = "projections.safetensors";

  private final StudentRun run;
  private final Storage storage;
  private final EncoderSpec teacher;
  private final ColumnSelection reads;
  private final List<Part> further;

  /** A further teacher, and what is read of its cache. */
  private record Part(Joined.Further of, ColumnSelection reads) {}

  public StudentParts(StudentRun run, Storage storage) throws IOException {
    this.run = run;
    this.storage = storage;
    this.teacher = teacher().spec();
    this.reads = reads(run.places().cache());
    this.further = new ArrayList<>();
    for (Joined.Further of : run.places().joined().further()) {
      CacheReader reader =
          CacheReader.open(
              storage, new Path(of.source().cache()), of.source().teacher(), List.of());
      further.add(
          new Part(
              of,
              ColumnSelection.of(
                  of.teaching().loss(),
                  teacher(of.source()).spec(),
                  run.places().kept(),
                  reader::has)));
    }
  }

  public Trainer.Setup setup() {
    return new Trainer.Setup(
        run.model(),
        run.loss(),
        run.places().joined().teachers(),
        run.train(),
        run.start().pruned(),
        run.fingerprint());
  }

  /** Opens the caches, in the order in which the student reads its own. */
  public TargetSource source() throws IOException {
    return source(columns());
  }

  /**
   * As {@link #source()}, with the columns of other students of the same teachers, too.
   *
   * @param columns of each teacher, the first before the further ones
   */
  public TargetSource source(List<Set<Column>> columns) throws IOException {
    KeyedRows own = inOrder(reader(columns.get(0)), run.train());
    Joined joined = run.places().joined();
    if (joined.equals(Joined.NOTHING)) {
      return own;
    }
    List<JoinedReader.Further> others = new ArrayList<>();
    for (int number = 0; number < further.size(); number++) {
      Joined.Further of = further.get(number).of();
      others.add(
          new JoinedReader.Further(
              of.name(), reader(of.source(), columns.get(number + 1)), of.shards(), of.tokens()));
    }
    return new JoinedReader(own, others, joined.leftOut());
  }

  /** Returns a cache's rows as a training counts them, had it no other caches. */
  static KeyedRows inOrder(CacheReader reader, TrainSpec train) {
    return train.batching().order() == TrainSpec.Order.PLAN ? new PlannedReader(reader) : reader;
  }

  /** Returns the number of rows that a student is trained on in an epoch. */
  public static long rows(CacheReader reader, StudentRun run) {
    List<Integer> all = inOrder(reader, run.train()).shardRows();
    return JoinedReader.remaining(all, run.places().joined().leftOut()).stream()
        .mapToLong(Integer::longValue)
        .sum();
  }

  /** Opens the cache with the columns that the student reads. */
  CacheReader reader() throws IOException {
    return reader(reads.columns());
  }

  private CacheReader reader(Set<Column> columns) throws IOException {
    StudentRun.Paths places = run.places();
    return reader(
        new Joined.Source(places.cache(), places.teacher(), places.cacheFingerprints()), columns);
  }

  /**
   * Opens a cache.
   *
   * @throws io.stillhouse.error.StillhouseException if it has grown since the training began
   */
  private CacheReader reader(Joined.Source of, Set<Column> columns) throws IOException {
    CacheReader source = CacheReader.open(storage, new Path(of.cache()), of.teacher(), columns);
    if (!source.plan().fingerprints().equals(of.fingerprints())) {
      throw Errors.invalid(
          "cache '%s' has grown since the training of '%s' began".formatted(of.cache(), run.name()),
          "delete its checkpoints '%s' and run train again".formatted(run.checkpoints()));
    }
    return source;
  }

  /** Returns the columns that the student reads of each teacher, the first before the others. */
  public List<Set<Column>> columns() {
    return ofAll(ColumnSelection::columns);
  }

  /** Returns the names of the weights of each teacher that rebuild what is not stored. */
  public List<Set<String>> teacherTensors() {
    return ofAll(ColumnSelection::teacherTensors);
  }

  private <T> List<T> ofAll(Function<ColumnSelection, T> of) {
    return Stream.concat(Stream.of(reads), further.stream().map(Part::reads)).map(of).toList();
  }

  /** Opens the cache of held-out rows, with the task logits of the teacher if they are there. */
  CacheReader validation(String cache) throws IOException {
    CacheReader validation =
        CacheReader.open(storage, new Path(cache), run.places().teacher(), reads(cache).columns());
    if (!teacher.head().task().pooled() || !validation.has(Targets.LOGITS)) {
      return validation;
    }
    Set<Column> columns = new LinkedHashSet<>(reads(cache).columns());
    columns.add(Targets.LOGITS);
    return validation.with(columns);
  }

  private ColumnSelection reads(String cache) throws IOException {
    CacheReader reader =
        CacheReader.open(storage, new Path(cache), run.places().teacher(), List.of());
    return ColumnSelection.of(run.loss(), teacher, run.places().kept(), reader::has);
  }

  HuggingFaceDirectory teacher() throws IOException {
    return CacheReader.teacher(storage, new Path(run.places().cache()), run.places().teacher());
  }

  private HuggingFaceDirectory teacher(Joined.Source of) throws IOException {
    return CacheReader.teacher(storage, new Path(of.cache()), of.teacher());
  }

  /** Returns the student's weights before the first step, and its projections. */
  public Map<String, NDArray> initial(NDManager manager) throws IOException {
    long seed = run.train().run().seed();
    if (run.model() instanceof BiLstmSpec biLstm) {
      return initial(manager, biLstm, seed);
    }
    EncoderSpec encoder = (EncoderSpec) run.model();
    Map<String, NDArray> weights =
        run.start().directory() == null
            ? StudentInit.random(manager, encoder, seed)
            : StudentInit.from(
                manager,
                encoder,
                HuggingFaceDirectory.open(Models.copy(run.start().directory())),
                run.start().blocks(),
                seed);
    HeadPruning.zeroWeights(encoder, run.start().pruned(), weights);
    Map<String, NDArray> projections =
        StudentInit.projections(
            manager, run.loss(), encoder.hiddenSize(), teacher.hiddenSize(), seed);
    if (run.start().directory() != null) {
      resumeProjections(Models.copy(run.start().directory()), projections, manager);
    }
    weights.putAll(projections);
    return weights;
  }

  /** Takes over those that the student which this one starts from has learnt, too. */
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

  /** Writes a student's projections beside it, if it has any: a later stage goes on with them. */
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
    if (Files.isDirectory(copy)) { // a stage before this one has made it
      return ModelDirectory.open(copy).weights(manager);
    }
    Map<Integer, float[]> known =
        new WordVectorFile(storage, Options.WORD_VECTORS.key(), start)
            .of(Models.tokenizer(teacherDirectory()));
    return BiLstmInit.random(manager, model, known, seed);
  }

  private String teacherDirectory() {
    return TeacherFolder.model(new Path(run.places().cache()), run.places().teacher()).toString();
  }

  /** Returns the teachers' weights that rebuild targets of the caches; no others are read. */
  public TeacherParts teacherParts(NDManager manager) throws IOException {
    TeacherParts first = teacherParts(manager, reads, teacher());
    if (further.isEmpty()) {
      return first;
    }
    List<TeacherParts> others = new ArrayList<>();
    for (Part part : further) {
      others.add(teacherParts(manager, part.reads(), teacher(part.of().source())));
    }
    return new TeacherParts(first.encoder(), first.mlm(), others);
  }

  /** Returns those of the first teacher that rebuild targets of the cache of held-out rows. */
  public TeacherParts teacherParts(NDManager manager, String validation) throws IOException {
    return teacherParts(manager, reads(validation), teacher());
  }

  private TeacherParts teacherParts(
      NDManager manager, ColumnSelection of, HuggingFaceDirectory from) throws IOException {
    if (of.teacherTensors().isEmpty()) {
      return new TeacherParts(null, run.places().kept().mlm());
    }
    return new TeacherParts(
        new Encoder(from.spec(), from.weights(manager, of.teacherTensors())),
        run.places().kept().mlm());
  }
}
