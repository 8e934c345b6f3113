package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.corpus.CorpusFiles;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CorpusMatchTest {
  private static final org.apache.hadoop.fs.Path CACHE =
      new org.apache.hadoop.fs.Path("file:/cache");
  private static final Storage STORAGE = new Storage(new Configuration());

  @TempDir private Path directory;

  @Test
  void unchangedFilesAreNotNew() throws IOException {
    Path a = file("a.txt", "the of");

    assertThat(match(part(0, a), a).addedPaths()).isEmpty();
  }

  @Test
  void unknownFileIsNew() throws IOException {
    Path a = file("a.txt", "the of");
    Path b = file("b.txt", "and to");

    assertThat(match(part(0, a), a, b).added().names()).containsExactly("b.txt");
  }

  @Test
  void movedFileKeepsRowKeys() throws IOException {
    PlanPart part = part(0, file("a.txt", "the of"));
    Path moved = file("elsewhere/b.txt", "the of");
    CorpusMatch match = match(part, moved);
    CorpusFiles files = match.of(part);

    assertThat(match.addedPaths()).isEmpty();
    assertThat(files.name(files.files().get(0))).isEqualTo("a.txt");
  }

  @Test
  void matchesFilesOfEqualContentByName() throws IOException {
    Path a = file("a.txt", "the of");
    PlanPart part = part(0, a);
    Path copy = file("0.txt", "the of");

    assertThat(match(part, copy, a).added().names()).containsExactly("0.txt");
  }

  @Test
  void rejectsChangedFile() throws IOException {
    Path a = file("a.txt", "the of");
    PlanPart part = part(0, a);
    Files.writeString(a, "changed");

    assertThatThrownBy(() -> match(part, a))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("file 'a.txt' of the corpus of cache")
        .hasMessageContaining("has changed since it was cached")
        .hasMessageContaining("put new text into a separate file");
  }

  @Test
  void reportsEveryMissingFile() throws IOException {
    PlanPart part = part(0, file("a.txt", "the of"), file("b.txt", "and to"));
    Path other = file("c.txt", "in is");

    assertThatThrownBy(() -> match(part, other))
        .hasMessageContaining("2 problems")
        .hasMessageContaining("'a.txt' of the corpus")
        .hasMessageContaining("'b.txt' of the corpus")
        .hasMessageContaining("is not in this recipe's corpus.path");
  }

  private CorpusMatch match(PlanPart part, Path... files) throws IOException {
    return new CorpusMatch(CACHE, List.of(part), corpus(files));
  }

  private static PlanPart part(int firstShard, Path... files) throws IOException {
    List<CorpusFile> hashes = corpus(files).hashes();
    return new PlanPart(
        100,
        LocalCache.shards(firstShard, firstShard + 1),
        new PlanPart.Counts(3, 21, 0, Map.of()),
        hashes,
        LocalCache.inputs(firstShard, firstShard + 1));
  }

  private static HashedCorpus corpus(Path... files) throws IOException {
    CorpusFiles listed =
        CorpusFiles.list(Stream.of(files).map(Path::toString).toList(), STORAGE.hadoop());
    return new HashedCorpus(listed, CorpusFile.hash(STORAGE, listed));
  }

  private Path file(String name, String text) throws IOException {
    Path file = directory.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, text);
  }
}
