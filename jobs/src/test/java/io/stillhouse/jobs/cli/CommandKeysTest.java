package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.CommandKeys;
import io.stillhouse.config.Option;
import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs every command on tiny models, records the keys that it reads, and finds each in its help.
 * Later commands read what earlier ones wrote.
 */
@Tag("spark")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class CommandKeysTest {
  private static final Map<String, String> SPARK =
      Map.of("spark.master", "local[2]", "spark.ui.enabled", "false");

  @TempDir private static Path directory;

  @BeforeAll
  static void writeCorpora() throws IOException {
    Tiny.labelled(directory.resolve("rows.tsv"), 24, "1", "0");
    Tiny.lines(directory.resolve("prose.txt"), 24);
    Tiny.spark().stop(); // each command opens its own session
    SPARK.forEach(System::setProperty);
  }

  @AfterAll
  static void forgetMaster() {
    SPARK.keySet().forEach(System::clearProperty);
  }

  @Test
  @Order(1)
  void finetuneListsKeysThatItReads() {
    read(
        "finetune",
        labelled(
            "finetune.from=" + Tiny.MLM,
            "finetune.to=" + at("tuned"),
            "finetune.validation=" + at("rows.tsv"),
            "train.early-stopping-patience=1",
            "loss.hard-label.class-weights=balanced"));
  }

  @Test
  @Order(2)
  void cacheListsKeysThatItReads() {
    read(
        "cache",
        labelled(
            "teacher.path=" + Tiny.CLS,
            "cache.path=" + at("cache"),
            "targets.hidden=[0, 1, 2, 3]",
            "targets.attention=[1, 2, 3]",
            "targets.value-relations=[3]"));
    read("cache", prose("cache.path=" + at("prose"), "targets.mlm-logits=top-k"));
    read(
        "cache",
        prose(
            "cache.path=" + at("window"),
            "targets.mlm-logits=sampled",
            "train.order=plan",
            "cache.window=64"));
  }

  @Test
  @Order(3)
  void verifyListsKeysThatItReads() {
    read("verify", at("cache"), "verify.rows=2");
  }

  @Test
  @Order(4)
  void headImportanceListsKeysThatItReads() {
    read(
        "head-importance",
        labelled(
            "head-importance.model=" + Tiny.CLS, "head-importance.output=" + at("heads.json")));
    read("head-importance", prose("head-importance.output=" + at("prose-heads.json")));
  }

  @Test
  @Order(5)
  void planListsKeysThatItReads() {
    read(
        "plan",
        labelled(
            "teacher.path=" + Tiny.CLS,
            "cache.path=" + at("planned"),
            "student.layers=1",
            "loss.soft-label.weight=1",
            "plan.seconds=300", // an upper bound
            "plan.output=" + at("plan.json")));
  }

  @Test
  @Order(6)
  void trainListsKeysThatItReads() {
    read(
        "train",
        student(
            "student.layers=3",
            "student.hidden-size=32",
            "loss.hidden-mse.weight=1",
            "loss.hard-label.class-weights=[1, 1, 1]",
            "train.keep=best",
            "train.validation=" + at("cache"),
            "student.pruned-heads=0.25",
            "student.head-importance=" + at("heads.json")));
  }

  @Test
  @Order(7)
  void trainListsKeysOfRelationsStagesAndFurtherTeachers() throws IOException {
    read(
        "cache",
        labelled(
            "teacher.path=" + Tiny.otherWeights(directory.resolve("second-teacher")),
            "cache.path=" + at("second")));
    read(
        "train",
        student(
            "student.name=several",
            "student.layers=1",
            "student.init=random",
            "loss.attention-mse.weight=1",
            "loss.query-relation.weight=1",
            format("loss.teachers=[{ name = b, cache = \"%s\", weight = 2 }]", at("second")),
            "train.stages=[{ name = a }, { name = b, loss.attention-mse.weight = 0 }]"));
  }

  @Test
  @Order(8)
  void trainListsKeysOfBiLstmInRounds() {
    read(
        "train",
        student(
            "student.name=bilstm",
            "student.architecture=bilstm",
            "student.hidden-size=8",
            "train.workers=2",
            "train.round-steps=2"));
  }

  @Test
  @Order(9)
  void sweepListsKeysThatItReads() {
    read(
        "sweep",
        student(
            "train.path=" + at("swept"),
            "train.validation=" + at("cache"),
            "student.layers=1",
            "sweep.over.train.seed=[1]",
            "sweep.over.train.learning-rate=[1e-3, 1e-4]",
            "sweep.halving.at=[1]",
            "sweep.halving.by=accuracy"));
  }

  @Test
  @Order(10)
  void augmentListsKeysThatItReads() {
    read(
        "augment",
        labelled(
            "augment.model=" + Tiny.MLM,
            "augment.stop-words=replaced",
            "augment.to=" + at("larger"),
            "augment.copies=1"));
    read(
        "augment",
        labelled("augment.kind=rules", "augment.to=" + at("larger-by-rules"), "augment.copies=1"));
  }

  @Test
  @Order(11)
  void evaluateListsKeysThatItReads() {
    read(
        "evaluate",
        labelled(
            "teacher.path=" + Tiny.CLS,
            "evaluate.models=" + Tiny.CLS,
            "evaluate.predictions=" + at("predictions.jsonl"),
            "evaluate.output=" + at("evaluation.json"),
            "evaluate.speed=true",
            "evaluate.speed-seconds=0.01"));
    read(
        "evaluate",
        prose("evaluate.models=" + Tiny.MLM, "evaluate.output=" + at("prose-evaluation.json")));
  }

  @Test
  @Order(12)
  void reportListsKeysThatItReads() {
    read("report", at("students"), "report.rows=8", "report.texts=2");
  }

  @Test
  @Order(12)
  void predictListsKeysThatItReads() {
    read("predict", Tiny.CLS.toString(), at("rows.tsv"), at("predicted"), "corpus.max-length=40");
    read(
        "predict",
        Tiny.MLM.toString(),
        at("rows.tsv"),
        at("embedded"),
        "corpus.max-length=40",
        "predict.output=embeddings");
  }

  @Test
  @Order(12)
  void exportListsKeysThatItReads() {
    read(
        "export",
        labelled(
            "train.path=" + at("students"),
            "student.name=student",
            "export.evaluate=" + at("rows.tsv"),
            "export.to=" + at("export")));
  }

  @Test
  @Order(13)
  void quickstartListsKeysThatItReads() throws IOException {
    Path glosses = Files.createDirectories(directory.resolve("q/glosses"));
    List<String> lines = Files.readAllLines(Tiny.lines(directory.resolve("lines"), 40));
    int id = 0;
    for (String file : List.of("train.tsv", "unlabelled.tsv", "validation.tsv")) {
      boolean labelled = !file.startsWith("unlabelled");
      StringBuilder rows = new StringBuilder(labelled ? "id\tgloss\tclass\n" : "id\tgloss\n");
      for (String line : lines) {
        String label = id % 2 == 0 ? "\tnoun.act" : "\tverb.act";
        rows.append(id++).append('\t').append(line).append(' ').append(file.charAt(0));
        rows.append(labelled ? label : "").append('\n');
      }
      Files.writeString(glosses.resolve(file), rows);
    }
    read(
        "quickstart",
        directory.resolve("q").toString(),
        "smoke=true",
        "teacher.path=" + Tiny.MLM,
        "corpus.max-length=40",
        "student.layers=1",
        "evaluate.speed-seconds=0.01",
        "train.threads=1");
  }

  @Test
  @Order(14)
  void distillListsKeysThatItReads() throws IOException {
    read(
        "distill",
        at("rows.tsv"),
        at("distilled"),
        "smoke=true",
        "teacher.path=" + Tiny.MLM,
        "corpus.max-length=40",
        "evaluate.speed=false",
        "train.threads=1");
  }

  /** Runs a command, and compares the keys that it reads with its help. */
  private static void read(String command, String... arguments) {
    Set<String> read = ConcurrentHashMap.newKeySet();
    List<String> all = new ArrayList<>(List.of(command));
    all.addAll(Arrays.asList(arguments));

    int exitCode =
        Stillhouse.run(settings -> settings.observed(read::add), all.toArray(String[]::new));

    assertThat(exitCode).isZero();
    assertThat(read).isNotEmpty();
    listed(command).map(Option::key).forEach(read::remove);
    assertThat(read).as("keys that the help of %s lacks", command).isEmpty();
  }

  /** Returns the keys in the help of a command and, for distill, those of the recipe it writes. */
  private static Stream<Option<?>> listed(String command) {
    Stream<Option<?>> own = CommandKeys.of(command).orElseThrow().options().stream();
    return List.of("distill", "quickstart").contains(command)
        ? Stream.concat(
            own,
            Stream.of(
                    CommandKeys.FINETUNE,
                    CommandKeys.CACHE,
                    CommandKeys.TRAIN,
                    CommandKeys.EVALUATE,
                    CommandKeys.EXPORT)
                .flatMap(step -> step.options().stream()))
        : own;
  }

  private static String[] labelled(String... more) {
    return with(
        more,
        "corpus.path=" + at("rows.tsv"),
        "corpus.text=text",
        "corpus.label=label",
        "corpus.max-length=40",
        "smoke=true",
        "train.threads=1");
  }

  private static String[] prose(String... more) {
    return with(
        more,
        "teacher.path=" + Tiny.MLM,
        "corpus.path=" + at("prose.txt"),
        "corpus.max-length=40",
        "smoke=true");
  }

  private static String[] student(String... more) {
    return with(
        more,
        "cache.path=" + at("cache"),
        "train.path=" + at("students"),
        "loss.soft-label.weight=1",
        "loss.hard-label.weight=1",
        "corpus.max-length=40",
        "train.max-steps=4",
        "train.threads=1");
  }

  private static String[] with(String[] more, String... first) {
    List<String> all = new ArrayList<>(List.of(first));
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  private static String at(String name) {
    return directory.resolve(name).toString();
  }
}
