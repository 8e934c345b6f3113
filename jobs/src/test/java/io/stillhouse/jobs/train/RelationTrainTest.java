package io.stillhouse.jobs.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trains students with other heads and widths than the teacher, which has 4 heads, 3 blocks. */
@Tag("spark")
class RelationTrainTest {
  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static Path corpus;
  private static Path cache;

  @BeforeAll
  static void cachesOnce() throws IOException {
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), 96, "LABEL_2", "LABEL_0");
    cache = shared.resolve("cache");
    cache(cache, "targets.value-relations=[3]");
  }

  @Test
  void trainsEveryRelationFromOneHiddenState() throws IOException {
    CacheReader reader =
        CacheReader.open(
            new Storage(new Configuration()),
            new org.apache.hadoop.fs.Path(cache.toString()),
            List.of());
    assertThat(IntStream.rangeClosed(0, 3).filter(layer -> reader.has(Targets.hidden(layer))))
        .containsExactly(2);
    assertThat(reader.has(Targets.valueRelations(3))).isFalse();

    TrainJob.Result result = train("train.validation=" + cache);

    TrainedStudent.Losses losses = result.students().get(0).losses();
    assertThat(losses.first()).containsOnlyKeys("query-relation", "key-relation", "value-relation");
    losses
        .first()
        .forEach(
            (term, before) -> {
              assertThat(losses.last().get(term)).as(term).isLessThan(before);
              assertThat(losses.validation().get(term)).as(term).isPositive().isLessThan(before);
            });
    assertThat(HuggingFaceDirectory.open(directory.resolve("students/small")).spec().heads())
        .isEqualTo(2);
  }

  @Test
  void twoWorkersTrainSharedProjection() throws IOException {
    Path states = directory.resolve("states");
    cache(states, "targets.hidden=[0,1,3]");
    String[] recipe = {
      "cache.path=" + states,
      "student.layers=2",
      "student.layer-map=[0, 1, 3]",
      "loss.projection=shared",
      "loss.query-relation.weight=0",
      "loss.key-relation.weight=0",
      "loss.value-relation.weight=0",
      "loss.first-token-mse.weight=1",
      "loss.hidden-mse.weight=1",
      "loss.embedding-mse.weight=1",
      "train.workers=2",
      "train.round-steps=6"
    };

    TrainedStudent.Losses losses = train(recipe).students().get(0).losses();

    assertThat(losses.first()).containsOnlyKeys("first-token-mse", "hidden-mse", "embedding-mse");
    losses
        .first()
        .forEach((term, before) -> assertThat(losses.last().get(term)).as(term).isLessThan(before));
  }

  @Test
  void rejectsCacheWithoutStateBelowBlock() throws IOException {
    Path other = directory.resolve("other");
    cache(other, "targets.hidden=[3]");

    assertThatThrownBy(() -> train("cache.path=" + other))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("lacks hidden_02 in some shards")
        .hasMessageContaining("name them in the recipe's targets");
    assertThat(directory.resolve("students")).doesNotExist();
  }

  private static void cache(Path to, String targets) throws IOException {
    new CacheJob(
            Tiny.spark(), TinyRecipe.labelled(corpus).cache(to).shardTokens(512).settings(targets))
        .run();
  }

  private TrainJob.Result train(String... more) throws IOException {
    Settings settings =
        TinyRecipe.empty()
            .cache(cache)
            .student(directory.resolve("students"))
            .withoutBaseline()
            .with(
                "student.name=small",
                "student.heads=2",
                "loss.soft-label.weight=0",
                "loss.hidden-mse.weight=0",
                "loss.query-relation.weight=1",
                "loss.key-relation.weight=1",
                "loss.value-relation.weight=1",
                "loss.relation.heads=8",
                "train.epochs=6",
                "train.learning-rate=1e-2")
            .settings(more);
    return new TrainJob(Tiny.spark(), settings).run();
  }
}
