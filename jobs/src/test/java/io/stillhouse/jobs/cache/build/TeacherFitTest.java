package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.Head;
import io.stillhouse.target.Family;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests which teachers can use the rows of a cache of another. */
class TeacherFitTest {
  private static final Storage STORAGE = Storage.ofThisProcess();

  @TempDir private Path directory;

  private Path cache;

  @BeforeEach
  void writesCache() throws IOException {
    cache =
        OneShardCache.write(
            directory.resolve("cache"),
            Tiny.CLS,
            List.of(OneShardCache.row("a", "the old man and the sea", 1.0)));
  }

  @Test
  void acceptsSameClassesAndTokens() throws IOException {
    assertAccepted(Tiny.CLS, Tiny.otherWeights(directory.resolve("other")));
  }

  @Test
  void acceptsHeadlessTeacher() throws IOException {
    assertAccepted(Tiny.CLS, Tiny.shallow(directory.resolve("headless"), 1, Head.NONE));
  }

  @Test
  void acceptsClassifierForRowsOfHeadlessTeacher() throws IOException {
    assertAccepted(Tiny.shallow(directory.resolve("headless"), 1, Head.NONE), Tiny.CLS);
  }

  @Test
  void acceptsMaskedLmForRowsOfClassifier() {
    assertAccepted(Tiny.CLS, Tiny.MLM);
  }

  @Test
  void acceptsOtherTokenizerFilesThatGiveSameIds() throws IOException {
    assertAccepted(Tiny.CLS, withLowerCase(true));
  }

  @Test
  void rejectsOtherTask() {
    assertRejected(Tiny.CLS, Tiny.REG)
        .hasMessageContaining("teacher 'second' predicts REGRESSION []")
        .hasMessageContaining("made for CLASSIFICATION [LABEL_0, LABEL_1, LABEL_2]")
        .hasMessageContaining("its labels refer to those classes");
  }

  @Test
  void rejectsClassifierForMaskedRows() {
    assertRejected(Tiny.MLM, Tiny.CLS)
        .hasMessageContaining("predicts CLASSIFICATION")
        .hasMessageContaining("its rows are masked: name another cache.path");
  }

  @Test
  void rejectsOtherVocabulary() throws IOException {
    Path swapped = directory.resolve("swapped");
    String difference = Tiny.swapTokens(Tiny.CLS, swapped);

    assertRejected(Tiny.CLS, swapped)
        .hasMessageContaining("teacher 'second' has a different tokenizer")
        .hasMessageContaining(difference)
        .hasMessageContaining("all teachers of a cache read the same ids");
  }

  @Test
  void rejectsOtherCasing() throws IOException {
    assertRejected(Tiny.CLS, withLowerCase(false))
        .hasMessageContaining("teacher 'second' has a different tokenizer")
        .hasMessageContaining("it tokenizes 'Ünïted NATIONS");
  }

  @Test
  void rejectsNameWithTargetsOfUnknownTeacher() throws IOException {
    CacheFile file = LocalCache.file(0, Family.HIDDEN, "hidden_02");
    manifest()
        .append(
            new ManifestChange.FilesAdded(
                List.of(
                    new CacheFile(
                        0,
                        file.family(),
                        "teachers/second/" + file.path(),
                        file.columns(),
                        file.size(),
                        file.hashes(),
                        "second")),
                List.of()));

    assertRejected(Tiny.CLS, Tiny.CLS)
        .hasMessageContaining("has targets of a teacher 'second', but both copies of its record")
        .hasMessageContaining("set another teacher.name");
  }

  private void assertAccepted(Path first, Path second) {
    assertThatCode(() -> require(first, second)).doesNotThrowAnyException();
  }

  private AbstractThrowableAssert<?, ?> assertRejected(Path first, Path second) {
    return assertThatThrownBy(() -> require(first, second)).isInstanceOf(StillhouseException.class);
  }

  private void require(Path first, Path second) throws IOException {
    new TeacherFit(HuggingFaceDirectory.open(first), HuggingFaceDirectory.open(second), "second")
        .require(STORAGE, CacheRows.hadoop(cache), manifest());
  }

  private ManifestLog manifest() throws IOException {
    return ManifestLog.read(STORAGE, CacheRows.hadoop(cache));
  }

  private Path withLowerCase(boolean lower) throws IOException {
    Path copy = Tiny.copy(Tiny.CLS, directory.resolve("cased"));
    Files.writeString(
        copy.resolve("tokenizer_config.json"),
        format("{\"tokenizer_class\": \"BertTokenizer\", \"do_lower_case\": %s}", lower));
    return copy;
  }
}
