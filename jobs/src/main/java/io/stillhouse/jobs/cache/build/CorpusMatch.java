package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.corpus.CorpusFiles;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * Matches the text files of a recipe with those that the parts of a cache were built from. A file
 * is identified by its bytes. It keeps the name that the keys of its rows start with, even if the
 * file has been moved.
 */
final class CorpusMatch {
  private final CorpusFiles corpus;
  private final Map<Integer, Map<Path, String>> namesByFirstShard = new HashMap<>();
  private final Map<Path, CorpusFile> added = new LinkedHashMap<>();

  /**
   * Finds the files of a plan's parts among those of a recipe.
   *
   * @throws io.stillhouse.error.StillhouseException naming files that have changed or are missing
   */
  CorpusMatch(Path cache, List<PlanPart> parts, HashedCorpus corpus) {
    this.corpus = corpus.files();
    List<Path> paths = this.corpus.files();
    for (int f = 0; f < paths.size(); f++) {
      added.put(paths.get(f), corpus.hashes().get(f));
    }
    List<String> problems = new ArrayList<>();
    for (PlanPart part : parts) {
      Map<Path, String> names = new LinkedHashMap<>();
      for (CorpusFile known : part.corpusFiles()) {
        Path path = takePath(known);
        if (path == null) {
          problems.add(problem(cache, known));
        } else {
          names.put(path, known.name());
        }
      }
      namesByFirstShard.put(part.firstShard(), names);
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
  }

  /**
   * Removes a file with the same bytes from the new ones, preferably one with the same name.
   *
   * @return its path, or null if there is none
   */
  private @Nullable Path takePath(CorpusFile known) {
    List<Path> same =
        added.entrySet().stream()
            .filter(file -> file.getValue().sameRows(known))
            .map(Map.Entry::getKey)
            .toList();
    Path path =
        Stream.concat(same.stream().filter(one -> hasName(one, known.name())), same.stream())
            .findFirst()
            .orElse(null);
    if (path != null) {
      added.remove(path);
    }
    return path;
  }

  private String problem(Path cache, CorpusFile known) {
    String file = format("file '%s' of the corpus of cache '%s'", known.name(), cache);
    String key = known.isUnlabelled() ? "corpus.unlabelled" : "corpus.path";
    if (added.values().stream().anyMatch(other -> other.sha256().equals(known.sha256()))) {
      return format(
          "%s was cached %s labels; name it in %s, or name another cache.path",
          file, known.isUnlabelled() ? "without" : "with", key);
    }
    boolean exists = corpus.files().stream().anyMatch(path -> hasName(path, known.name()));
    return format(
        "%s %s; to extend a cache, name new files in addition to the old ones: %s, or name another"
            + " cache.path",
        file,
        exists ? "has changed since it was cached" : "is not in this recipe's " + key,
        exists ? "restore it and put new text into a separate file" : "name it too");
  }

  private static boolean hasName(Path path, String name) {
    return ("/" + path.toUri().getPath()).endsWith("/" + name);
  }

  /** Returns the files of a part, under the names that they had when it was planned. */
  CorpusFiles of(PlanPart part) {
    return corpus.subset(Objects.requireNonNull(namesByFirstShard.get(part.firstShard())));
  }

  /** Returns the paths of files that are in no part. */
  List<Path> addedPaths() {
    return List.copyOf(added.keySet());
  }

  /** Returns the files that are in no part. */
  HashedCorpus added() {
    Map<Path, String> names = new LinkedHashMap<>();
    added.forEach((path, file) -> names.put(path, file.name()));
    return new HashedCorpus(corpus.subset(names), List.copyOf(added.values()));
  }
}
