package io.stillhouse.jobs.export;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.export.int8.WeightBits;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.evaluate.FormEvaluation;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.HadoopCheckpoints;
import io.stillhouse.jobs.train.student.History;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ExportFormat;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.ClassNames;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes a student for other software, in every format of {@code export.formats}, with a model
 * card. The directory appears under its name when it is complete.
 */
public final class ExportJob {
  private static final Logger LOG = LoggerFactory.getLogger(ExportJob.class);

  private final Storage storage;
  private final Settings settings;
  private final Path from;
  private final Path to;
  private final ModelDirectory model;
  private final Head head;
  private final List<ExportFormat> formats;

  /**
   * Checks that the student is finished, that every format supports it, and that {@code export.to}
   * does not exist.
   *
   * @throws io.stillhouse.error.StillhouseException if one of these conditions does not hold
   */
  public ExportJob(Settings settings) throws IOException {
    this.storage = Storage.ofThisProcess();
    this.settings = settings;
    this.from = student();
    this.to = storage.qualify(settings.get(Options.EXPORT_TO));
    this.formats = settings.get(Options.EXPORT_FORMATS);
    if (storage.exists(to)) {
      throw Errors.invalid(
          format("export.to '%s' already exists", to), "remove it or choose another directory");
    }
    this.model = ModelDirectory.open(storage.local(from));
    this.head = named(model.spec().head(), settings.get(Options.EXPORT_CLASSES));
    ExportedForms.requireSupported(model.spec(), formats);
  }

  /** Returns a head with other names of its classes, or the head itself if there are none. */
  private static Head named(Head head, List<String> names) {
    if (names.isEmpty()) {
      return head;
    }
    if (names.size() != head.labels().size() || Set.copyOf(names).size() != names.size()) {
      throw Errors.invalid(
          format(
              "export.classes must have a different name for each of the student's %d classes"
                  + " (%s), but is %s",
              head.labels().size(), ClassNames.shown(head.labels()), ClassNames.shown(names)),
          "list them in the order of their ids");
    }
    return new Head(head.task(), names);
  }

  /** Returns the finished student. */
  private Path student() throws IOException {
    String given = settings.get(Options.EXPORT_FROM);
    if (!given.isEmpty()) {
      return storage.requireExisting("export.from", given);
    }
    Path students = storage.qualify(settings.get(Options.TRAIN_PATH));
    String name = settings.get(Options.STUDENT_NAME);
    Path student = new Path(students, name);
    if (!storage.exists(student)) {
      long step =
          new HadoopCheckpoints(
                  storage, new Path(students, "_checkpoints/" + name), History.empty())
              .newestStep();
      if (step > 0) {
        throw Errors.invalid(
            format(
                "student '%s' in '%s' is not finished: its newest checkpoint is of step %,d",
                name, students, step),
            "run train again with the same recipe, which continues from there");
      }
      throw Errors.invalid(
          format("there is no student '%s' in train.path '%s'", name, students),
          "run train first, correct student.name, or name a directory in export.from");
    }
    return student;
  }

  /**
   * Writes the student.
   *
   * @param spark the session in which the forms are evaluated; may be null if {@code
   *     export.evaluate} is empty
   */
  public ExportRecord run(@Nullable SparkSession spark) throws IOException {
    FormEvaluation evaluation =
        settings.get(Options.EXPORT_EVALUATE).isEmpty()
            ? null
            : new FormEvaluation(Objects.requireNonNull(spark), settings, from);
    Provenance provenance = Provenance.of(storage, from);
    java.nio.file.Path local = Files.createTempDirectory("stillhouse-export");
    Path staged = null;
    try {
      java.nio.file.Path directory = local.resolve("model");
      List<ExportRecord.Form> forms =
          new ExportedForms(model, directory, bits()).write(formats, head, calibration());
      staged = storage.stage(directory, to);
      Evaluation quality =
          evaluation == null
              ? null
              : evaluation.evaluate(evaluated(staged)).moved(staged.toString(), to.toString());
      ExportRecord record =
          new ExportRecord(to.toString(), CodeVersion.current(), forms, quality, provenance);
      storage.writeText(
          new Path(staged, "README.md"),
          new ModelCard(settings, model.spec(), head, record).text());
      storage.writeJson(new Path(staged, ExportRecord.FILE), record);
      storage.renameExclusively(staged, to);
      staged = null;
      LOG.info("Exported '{}' to '{}'", from, to);
      return record;
    } finally {
      if (staged != null) {
        storage.fileSystem(staged).delete(staged, true);
      }
      FileUtils.deleteDirectory(local.toFile());
    }
  }

  private WeightBits bits() {
    return settings.get(Options.EXPORT_WEIGHT_BITS) == 7 ? WeightBits.SEVEN : WeightBits.EIGHT;
  }

  /**
   * Returns rows of the recipe's cache; none if it has no cache, the cache does not exist, or the
   * model cannot read its rows.
   */
  private List<Pairing.Input> calibration() throws IOException {
    int wanted =
        formats.contains(ExportFormat.ONNX_INT8)
            ? settings.get(Options.EXPORT_CALIBRATION_ROWS)
            : 0;
    if (wanted == 0 || !settings.has(Options.CACHE)) {
      return List.of();
    }
    Path cache = storage.qualify(settings.get(Options.CACHE));
    if (!storage.exists(cache)) {
      LOG.info("There is no cache '{}', so variants of the int8 model are not compared", cache);
      return List.of();
    }
    CacheReader reader = CacheReader.open(storage, cache, List.of());
    List<Pairing.Input> rows = new ArrayList<>();
    for (int shard = 0; shard < reader.plan().shards().size() && rows.size() < wanted; shard++) {
      reader.inputs(shard).stream()
          .limit(wanted - rows.size())
          .map(row -> new Pairing.Input(row.inputIds(), row.typeIds()))
          .forEach(rows::add);
    }
    if (!rows.stream().allMatch(row -> fits(row, model.spec()))) {
      LOG.warn(
          "'{}' cannot read the rows of the cache '{}', so variants of the int8 model are not"
              + " compared",
          from,
          cache);
      return List.of();
    }
    return rows;
  }

  /**
   * Returns whether a model has embeddings for all tokens of a row. The model in {@code
   * export.from} may have another vocabulary, or fewer positions or segments, than those of the
   * cache.
   */
  static boolean fits(Pairing.Input row, ModelSpec spec) {
    int segments =
        spec instanceof EncoderSpec encoder && encoder.architecture().hasSegments()
            ? encoder.embeddings().typeVocabSize()
            : Integer.MAX_VALUE;
    return row.ids().length <= spec.maxTokens()
        && Arrays.stream(row.ids()).allMatch(id -> id < spec.vocabSize())
        && Arrays.stream(row.tokenTypes()).allMatch(type -> type < segments);
  }

  /**
   * Returns the forms that are compared with the weights, in the order of {@code export.formats}:
   * those that can be computed here; none for a masked LM. The Hugging Face form is the weights.
   */
  private Map<String, Path> evaluated(Path staged) {
    Map<String, Path> forms = new LinkedHashMap<>();
    for (ExportFormat format : formats) {
      boolean computed = format != ExportFormat.HUGGINGFACE && format != ExportFormat.NCNN;
      if (computed && model.spec().head().task().pooled()) {
        forms.put(format.id(), new Path(staged, format.file()));
      }
    }
    return forms;
  }
}
