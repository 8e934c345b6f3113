package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.check.VacuumJob;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.corpus.CorpusFiles;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.commons.io.FileUtils;
import org.junit.jupiter.api.Test;

/** Adds layers and text to a finished cache: only the additions are computed. */
class GrowingTest extends GrowingFixture {
  @Test
  void addingLayersWritesOnlyNewColumns() throws IOException {
    Map<String, String> before = hashes();
    List<CacheFile> listed = manifest().state().files();

    CacheRecord again = run(List.of(old), "targets.hidden=[0,1,2,3]");

    assertThat(again.computedShards()).isEqualTo(first.shards());
    Map<String, String> after = hashes();
    assertThat(after).containsAllEntriesOf(before);
    assertThat(manifest().state().files()).containsAll(listed);
    after.keySet().removeAll(before.keySet());
    assertThat(after.keySet().stream().filter(name -> name.endsWith(".parquet")))
        .hasSize(first.shards())
        .allMatch(name -> name.startsWith("hidden/"));
    for (CacheFile file : manifest().state().files()) {
      if (after.containsKey(file.path())) {
        assertThat(file.columns()).containsExactly("id", "length", "hidden_00", "hidden_02");
      }
    }
  }

  @Test
  void growsByTextAndLayersAtOnce() throws IOException {
    Path second = tsv("second.tsv", 20);
    Path third = tsv("third.tsv", 30);
    CacheRecord grown = run(List.of(old, second));

    CacheRecord again = run(List.of(old, second, third), "targets.hidden=[1,2,3]");

    assertThat(again.rows()).isEqualTo(110);
    assertThat(again.computedShards()).isEqualTo(again.shards());
    assertThat(manifest().state().parts()).hasSize(2);
    assertThat(manifest().state().parts().get(1).firstShard()).isEqualTo(grown.shards());
    for (PlanPart.Shard shard : CachePlan.read(STORAGE, hadoop()).shards()) {
      CacheFile file = manifest().state().find(shard.shard(), "", Targets.hidden(2)).orElseThrow();
      assertThat(file.columns().contains("hidden_01")).isEqualTo(shard.shard() >= grown.shards());
    }
    assertThat(verify("verify.rows=16").isSound()).isTrue();
  }

  @Test
  void growsByFileWithAnyName() throws IOException {
    Path corpus = Files.createDirectories(directory.resolve("corpus"));
    Files.move(old, corpus.resolve("old.tsv"));
    FileUtils.copyFile(
        Tiny.labelled(directory.resolve("x.tsv"), 12, "1", "0").toFile(),
        corpus.resolve("2026/a [new] {file}*.tsv").toFile());

    CacheRecord grown = run(List.of(corpus));

    assertThat(grown.rows()).isEqualTo(72);
    assertThat(rows().keySet()).contains("old.tsv:59", "2026/a [new] {file}*.tsv:11");
  }

  @Test
  void readsPartitionColumnsOfNewFiles() throws IOException {
    Path corpus = directory.resolve("parted");
    Path one = corpus.resolve("label=1/rows.tsv");
    Files.createDirectories(one.getParent());
    Files.writeString(one, "text\nthe of and\nhe was\n");
    cache = directory.resolve("of-parts");
    run(List.of(corpus));
    Path two = corpus.resolve("label=2/rows.tsv");
    Files.createDirectories(two.getParent());
    Files.writeString(two, "text\nthe of\n");

    run(List.of(corpus));

    assertThat(rows().get("label=1/rows.tsv:1").inputs().label()).isEqualTo(1);
    assertThat(rows().get("label=2/rows.tsv:0").inputs().label()).isEqualTo(2);
  }

  @Test
  void finishesGrowthOfKilledRun() throws IOException {
    Path fresh = tsv("new.tsv", 30);
    Settings settings = settings(cache, List.of(old, fresh));
    Map<String, List<byte[]>> before = cells(rows());

    write(settings);

    assertThat(cells(rows())).usingRecursiveComparison().isEqualTo(before);
    assertThat(verify("verify.rows=0").isSound()).isTrue();
    CacheRecord grown = new CacheJob(spark, settings).run();

    assertThat(grown.rows()).isEqualTo(90);
    int added = grown.shards() - first.shards();
    assertThat(grown.computedShards()).isEqualTo(added);
    assertThat(VacuumJob.run(STORAGE, hadoop()).removed())
        .hasSize(added)
        .allMatch(name -> name.startsWith("cache/inputs/shard-"));
    assertThat(verify("verify.rows=0").isSound()).isTrue();
    assertThat(rows()).hasSize(90);
  }

  @Test
  void firstOfTwoConcurrentGrowthsWins() throws IOException {
    Settings settings = settings(cache, List.of(old, tsv("new.tsv", 30)));
    ManifestLog stale = manifest();
    CachePlan plan = CachePlan.read(STORAGE, hadoop());
    CacheRecord winner = new CacheJob(spark, settings).run();
    Map<String, byte[]> before = Tiny.files(cache);

    assertThatThrownBy(() -> growth(settings).grow(plan, stale, match(settings, plan)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("another run has written")
        .hasMessageContaining("run only one cache command at a time on a cache");

    assertThat(winner.rows()).isEqualTo(90);
    assertThat(Tiny.files(cache)).usingRecursiveComparison().isEqualTo(before);
  }

  @Test
  void studentLearnsFromAllParts() throws IOException {
    Path fresh = tsv("new.tsv", 36);
    run(List.of(old, fresh));
    Path students = directory.resolve("students");

    TrainJob.Result trained = new TrainJob(spark, student(students, List.of(old, fresh))).run();

    assertThat(trained.students().get(0).steps()).isEqualTo(96 / 8);
    run(List.of(old, fresh, tsv("third.tsv", 8)));
    assertThatThrownBy(() -> new TrainJob(spark, student(students, List.of(old, fresh))).run())
        .hasMessageContaining("contains a student of another recipe or cache");
  }

  @Test
  void rejectsTrainingOfCacheThatGrewMeanwhile() throws IOException {
    TrainJob begun = new TrainJob(spark, student(directory.resolve("students"), List.of(old)));

    run(List.of(old, tsv("new.tsv", 8)));

    assertThatThrownBy(begun::run)
        .hasStackTraceContaining("has grown since the training of 'student' began")
        .hasStackTraceContaining("run train again");
  }

  private Settings student(Path students, List<Path> corpus) {
    return settings(
        cache,
        corpus,
        TinyRecipe.empty()
            .student(students)
            .withoutBaseline()
            .with("student.hidden-size=0", "loss.hidden-mse.weight=0")
            .keyValues()
            .toArray(String[]::new));
  }

  /** Runs the command up to the point where it would append the manifest entry. */
  private void write(Settings settings) throws IOException {
    CachePlan plan = CachePlan.read(STORAGE, hadoop());
    assertThat(growth(settings).write(plan, match(settings, plan)).shards()).isNotEmpty();
  }

  private CacheGrowth growth(Settings settings) {
    CacheContext context = new CacheContext(spark, settings, STORAGE, hadoop());
    return new CacheGrowth(
        context, new CorpusPlanner(context, new ShardSize(settings.get(Options.SHARD_TOKENS))));
  }

  private CorpusMatch match(Settings settings, CachePlan plan) throws IOException {
    CorpusFiles files = CorpusFiles.list(Recipe.corpus(settings).paths(), STORAGE.hadoop());
    assertThat(settings.get(Options.CORPUS_PATH)).hasSize(2);
    return new CorpusMatch(
        hadoop(), List.of(plan.part()), new HashedCorpus(files, CorpusFile.hash(STORAGE, files)));
  }
}
