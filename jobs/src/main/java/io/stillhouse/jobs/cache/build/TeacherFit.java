package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.corpus.TokenizerComparison;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.apache.hadoop.fs.Path;

/**
 * Checks that an additional teacher can use the rows of a cache, whose token ids are those of the
 * first teacher.
 */
final class TeacherFit {
  private final HuggingFaceDirectory first;
  private final HuggingFaceDirectory other;
  private final String name;

  TeacherFit(HuggingFaceDirectory first, HuggingFaceDirectory other, String name) {
    this.first = first;
    this.other = other;
    this.name = name;
  }

  /**
   * Requires the same vocabulary, the same token ids for texts of the cache, and a head that the
   * rows were made for, or that needs neither labels nor masks.
   */
  void require(Storage storage, Path cache, ManifestLog manifest) throws IOException {
    if (!manifest.state().columns(name).isEmpty()) {
      throw Errors.invalid(
          format(
              "cache '%s' has targets of a teacher '%s', but both copies of its record are lost",
              cache, name),
          "set another teacher.name: targets of two teachers must not be mixed");
    }
    requireHead(first.spec().head(), other.spec().head());
    CacheFile inputs = manifest.state().inputs(0).orElseThrow();
    requireSameIds(
        ParquetRows.read(
                new CheckedFile(storage, cache, inputs),
                List.of(Targets.TEXT, Targets.PAIR),
                storage.hadoop())
            .stream()
            .flatMap(Arrays::stream)
            .filter(Objects::nonNull)
            .map(String.class::cast)
            .toList());
  }

  private void requireSameIds(List<String> texts) throws IOException {
    Optional<String> difference = TokenizerComparison.difference(first.path(), other.path(), texts);
    if (difference.isPresent()) {
      throw otherTokenizer(difference.get());
    }
  }

  private StillhouseException otherTokenizer(String difference) {
    return Errors.invalid(
        format(
            "teacher '%s' has a different tokenizer than the cache's first teacher: %s",
            name, difference),
        "all teachers of a cache read the same ids: use a teacher with the same vocabulary and"
            + " casing, or name another cache.path");
  }

  /** Rows are masked for a masked LM and labelled for a task, which not every head can use. */
  private void requireHead(Head recorded, Head requested) {
    boolean anyRows = requested.equals(recorded) || requested.equals(Head.NONE);
    boolean plainRows = recorded.equals(Head.NONE) || requested.task() == Task.MASKED_LM;
    if (!anyRows && !plainRows) {
      throw Errors.invalid(
          format(
              "teacher '%s' predicts %s %s, but the rows of the cache were made for %s %s",
              name, requested.task(), requested.labels(), recorded.task(), recorded.labels()),
          recorded.task() == Task.MASKED_LM
              ? "its rows are masked: name another cache.path"
              : "its labels refer to those classes: use a teacher with the same classes, or name"
                  + " another cache.path");
    }
  }
}
