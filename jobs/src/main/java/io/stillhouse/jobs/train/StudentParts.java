package io.stillhouse.jobs.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.config.Options;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.CacheReader;
import io.stillhouse.jobs.cache.PlannedReader;
import io.stillhouse.jobs.cache.Storage;
import io.stillhouse.jobs.cache.TeacherFolder;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.text.WordVectorFile;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.TeacherParts;
import io.stillhouse.model.Encoder;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.ModelSpec;
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
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.Path;

/** What a task needs to train a student: its first weights, its targets, the teacher's parts. */
final class StudentParts {
  private static final String PROJECTIONS = "projections.safetensors";

  private final StudentRun run;
  private final Storage storage;
  private final ModelSpec teacher;
  private final Reads reads;

  StudentParts(StudentRun run, Storage storage) throws IOException {
    this.run = run;
    this.storage = storage;
    this.teacher = teacher().spec();
    this.reads = reads(run.places().cache());
  }

  Trainer.Setup setup() {
    return new Trainer.Setup(
        run.model(), run.loss(), run.train(), run.start().pruned(), run.fingerprint());
  }

  /** Opens the cache, in the order in which the student reads it. */
  TargetSource source() throws IOException {
    return source(reads.columns());
  }

  /** As {@link #source()}, with the columns of other students, too. */
  TargetSource source(Set<Column> columns) throws IOException {
    return inOrder(reader(columns), run.train());
  }

  /** Returns a cache's rows as a training counts them. */
  static TargetSource inOrder(CacheReader reader, TrainSpec train) {
    return train.batching().order() == TrainSpec.Order.PLAN ? new PlannedReader(reader) : reader;
  }

  /** Opens the cache with the columns that the student reads. */
  CacheReader reader() throws IOException {
    return reader(reads.columns());
  }

  /**
   * Opens the cache.
   *
   * @throws io.stillhouse.error.StillhouseException if it has grown since the training began
   */
  private CacheReader reader(Set<Column> columns) throws IOException {
    CacheReader source =
        CacheReader.open(storage, new Path(run.places().cache()), run.places().teacher(), columns);
    if (!source.plan().fingerprints().equals(run.places().cacheFingerprints())) {
      throw Errors.invalid(
          "cache '%s' has grown since the training of '%s' began"
              .formatted(run.places().cache(), run.name()),
          "delete its checkpoints '%s' and run train again".formatted(run.checkpoints()));
    }
    return source;
  }

  /** Returns the columns that the student reads. */
  Set<Column> columns() {
    return reads.columns();
  }

  /** Returns the names of the teacher's weights that rebuild what is not stored. */
  Set<String> teacherTensors() {
    return reads.teacherTensors();
  }

  /** Opens the cache of held-out rows, with the task logits of the teacher if they are there. */
  CacheReader heldOut(String cache) throws IOException {
    CacheReader heldOut =
        CacheReader.open(storage, new Path(cache), run.places().teacher(), reads(cache).columns());
    if (!teacher.head().task().pooled() || !heldOut.has(Targets.LOGITS)) {
      return heldOut;
    }
    Set<Column> columns = new LinkedHashSet<>(reads(cache).columns());
    columns.add(Targets.LOGITS);
    return heldOut.with(columns);
  }

  private Reads reads(String cache) throws IOException {
    CacheReader reader =
        CacheReader.open(storage, new Path(cache), run.places().teacher(), java.util.List.of());
    return Reads.of(run.loss(), teacher, run.places().kept(), reader::has);
  }

  HuggingFaceDirectory teacher() throws IOException {
    return CacheReader.teacher(storage, new Path(run.places().cache()), run.places().teacher());
  }

  /** Returns the student's weights before the first step, and its projections. */
  Map<String, NDArray> initial(NDManager manager) throws IOException {
    long seed = run.train().run().seed();
    if (run.model() instanceof BiLstmSpec biLstm) {
      return initial(manager, biLstm, seed);
    }
    ModelSpec encoder = (ModelSpec) run.model();
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

  /** Returns the teacher's weights that rebuild targets of the cache; no others are read. */
  TeacherParts teacherParts(NDManager manager) throws IOException {
    return teacherParts(manager, reads);
  }

  /** Returns those that rebuild targets of the cache of held-out rows. */
  TeacherParts teacherParts(NDManager manager, String heldOut) throws IOException {
    return teacherParts(manager, reads(heldOut));
  }

  private TeacherParts teacherParts(NDManager manager, Reads of) throws IOException {
    if (of.teacherTensors().isEmpty()) {
      return new TeacherParts(null, run.places().kept().mlm());
    }
    HuggingFaceDirectory from = teacher();
    return new TeacherParts(
        new Encoder(from.spec(), from.weights(manager, of.teacherTensors())),
        run.places().kept().mlm());
  }
}
