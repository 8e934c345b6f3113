package io.stillhouse.jobs.cache.read;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.InvalidRow;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class PlannedReaderTest {
  private static final Storage STORAGE = new Storage(new Configuration());

  @TempDir private Path directory;

  private org.apache.hadoop.fs.Path cache;

  @BeforeEach
  void createsCache() throws IOException {
    Path corpus = Tiny.labelled(directory.resolve("rows.tsv"), 40, "LABEL_2", "LABEL_0");
    cache = new org.apache.hadoop.fs.Path(directory.resolve("cache").toString());
    new CacheJob(
            Tiny.spark(), TinyRecipe.unlabelled(corpus).cache(cache).shardTokens(256).settings())
        .run();
  }

  @Test
  void replacesInvalidRowByPreviousRow() throws IOException {
    List<String> whole = ids(reader().read(0));
    assertThat(ids(new PlannedReader(reader()).read(0))).isEqualTo(whole);

    invalid(List.of(whole.get(0), whole.get(2)));

    assertThat(reader().read(0)).hasSize(whole.size() - 2);
    PlannedReader planned = new PlannedReader(reader());
    List<String> expected = new ArrayList<>(whole);
    expected.set(0, whole.get(1));
    expected.set(2, whole.get(1));
    assertThat(ids(planned.read(0))).isEqualTo(expected);
    assertThat(planned.shardRows().get(0)).isEqualTo(whole.size());
  }

  @Test
  void rejectsShardWithoutTargets() throws IOException {
    invalid(ids(reader().read(0)));

    assertThatThrownBy(() -> new PlannedReader(reader()).read(0))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("no row of shard 0 has targets");
  }

  private void invalid(List<String> ids) throws IOException {
    Stream<InvalidRow> rows =
        ids.stream().map(id -> new InvalidRow(0, id, "its output is not finite", ""));
    ManifestLog.read(STORAGE, cache)
        .append(new ManifestChange.FilesAdded(List.of(), rows.toList()));
  }

  private CacheReader reader() throws IOException {
    return CacheReader.open(STORAGE, cache, List.of(Targets.LOGITS));
  }

  private static List<String> ids(List<Example> rows) {
    return rows.stream().map(Example::id).toList();
  }
}
