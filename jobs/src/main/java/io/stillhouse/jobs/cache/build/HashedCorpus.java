package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.corpus.CorpusFiles;
import java.io.IOException;
import java.util.List;

/**
 * Text files and their hashes.
 *
 * @param files the files
 * @param hashes names and hashes of {@code files}, in the same order
 */
record HashedCorpus(CorpusFiles files, List<CorpusFile> hashes) {
  HashedCorpus {
    hashes = List.copyOf(hashes);
  }

  /** Lists and hashes the files of a recipe. */
  static HashedCorpus of(CacheContext context) throws IOException {
    CorpusFiles files = CorpusFiles.list(context.corpus(), context.storage().hadoop());
    return new HashedCorpus(files, CorpusFile.hash(context.storage(), files));
  }

  /** Returns the names of the files. */
  List<String> names() {
    return hashes.stream().map(CorpusFile::name).toList();
  }
}
