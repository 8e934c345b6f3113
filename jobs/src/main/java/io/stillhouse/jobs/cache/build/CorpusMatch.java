package io.stillhouse.jobs.cache.build;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.corpus.CorpusFiles;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.fs.Path;

/**
 * Which of a recipe's files of text a cache was made from, part by part, and which are new. A file
 * is known by its bytes, and keeps the name that the keys of its rows have, wherever it lies now.
 */
final class CorpusMatch {
  private final CorpusFiles corpus;
  private final Map<Integer, Map<Path, String>> ofPart = new HashMap<>();
  private final Map<Path, CorpusFile> added = new LinkedHashMap<>();

  /**
   * Finds the files of a plan's parts among those of a recipe.
   *
   * @param hashed the recipe's files in order, hashed
   * @throws io.stillhouse.error.StillhouseException naming files that changed or are gone
   */
  CorpusMatch(Path cache, List<PlanPart> parts, CorpusFiles corpus, List<CorpusFile> hashed) {
    this.corpus = corpus;
    List<Path> paths = corpus.files();
    for (int f = 0; f < hashed.size(); f++) {
      added.put(paths.get(f), hashed.get(f));
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
      ofPart.put(part.firstShard(), names);
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
  }

  /** Removes a file of the same bytes from those that are new, one of the same name if there is. */
  private Path takePath(CorpusFile known) {
    List<Path> same =
        added.entrySet().stream()
            .filter(file -> file.getValue().sha256().equals(known.sha256()))
            .map(Map.Entry::getKey)
            .toList();
    Path path =
        Stream.concat(same.stream().filter(one -> bears(one, known.name())), same.stream())
            .findFirst()
            .orElse(null);
    added.remove(path);
    return path;
  }

  private String problem(Path cache, CorpusFile known) {
    boolean there = corpus.files().stream().anyMatch(path -> bears(path, known.name()));
    return "file '%s' of the corpus of cache '%s' %s; a cache grows by new files named beside the old ones: %s, or name another cache.path"
        .formatted(
            known.name(),
            cache,
            there ? "has changed since it was cached" : "is not in this recipe's corpus.path",
            there ? "restore it and put new text into a file of its own" : "name it too");
  }

  private static boolean bears(Path path, String name) {
    return ("/" + path.toUri().getPath()).endsWith("/" + name);
  }

  /** Returns the files of a part, under the names that they had. */
  CorpusFiles of(PlanPart part) {
    return corpus.only(ofPart.get(part.firstShard()));
  }

  /** Returns files that no part has, by path. */
  Map<Path, CorpusFile> added() {
    return added;
  }

  /** Returns them to be read. */
  CorpusFiles addedFiles() {
    Map<Path, String> names = new LinkedHashMap<>();
    added.forEach((path, file) -> names.put(path, file.name()));
    return corpus.only(names);
  }
}
