package io.stillhouse.notebook;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class ShardFilesTest {
  @TempDir private Path directory;

  @Test
  void singleRowIsReadWithoutTargetsOfOtherShards() throws IOException {
    Path corpus = Tiny.labelled(directory.resolve("corpus.tsv"), 40, "LABEL_2", "LABEL_0");
    Path path = directory.resolve("cache");
    TinyRecipe recipe =
        TinyRecipe.labelled(corpus)
            .cache(path)
            .shardTokens(256)
            .tinyBertTargets()
            .with("targets.scores=stored");
    new CacheJob(Tiny.spark(), recipe.settings()).run();
    Cache cache = Cache.open(Tiny.spark(), path.toString());
    Row first = cache.rows().orderBy("shard").first();
    try (Stream<Path> files = Files.list(path.resolve("attention"))) {
      List<Path> others =
          files.filter(file -> !file.getFileName().toString().startsWith("shard-000000-")).toList();
      assertThat(others).isNotEmpty();
      for (Path other : others) {
        Files.delete(other);
      }
    }
    assertThat(first.<Integer>getAs("shard")).isZero();
    assertThat(cache.attention(first.getAs("id")).count()).isPositive();
  }
}
