package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.error.Text.format;

import ai.djl.engine.Engine;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelFiles;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.hadoop.fs.Path;

/** The fingerprints of a cache: everything that its bytes depend on, by name. */
public final class Fingerprints {
  /** Settings whose values are fingerprints. */
  public static final List<Option<?>> SETTINGS =
      List.of(
          Options.CORPUS_FORMAT,
          Options.CORPUS_HEADER,
          Options.CORPUS_TEXT,
          Options.CORPUS_PAIR,
          Options.CORPUS_LABEL,
          Options.CORPUS_CLASSES,
          Options.CORPUS_ID,
          Options.CORPUS_LIMIT,
          Options.CORPUS_SEGMENT,
          Options.CORPUS_TOO_LONG,
          Options.MAX_LENGTH,
          Options.SHARD_TOKENS,
          Options.CACHE_BATCH_TOKENS,
          Options.CACHE_PRECISION,
          Options.TARGETS_DTYPE,
          Options.MASK_PROBABILITY,
          Options.MASK_VARIANTS,
          Options.CACHE_SEED);

  private static final String NONE = "(unset)";

  public static final String CORPUS = "corpus.sha256";
  public static final String TEACHER = "teacher.sha256";
  static final String TOKENIZER = "tokenizer.sha256";
  static final String LIBTORCH = "libtorch.version";
  static final String DTYPE = Options.TARGETS_DTYPE.key();
  static final String BATCH_TOKENS = Options.CACHE_BATCH_TOKENS.key();

  private Fingerprints() {}

  /** Returns the fingerprints of a run. */
  public static Map<String, String> of(
      Settings settings, Storage storage, HuggingFaceDirectory teacher, List<CorpusFile> corpus)
      throws IOException {
    Map<String, String> all = new TreeMap<>();
    for (Option<?> option : SETTINGS) {
      all.put(option.key(), String.valueOf(settings.get(option)));
    }
    Charset encoding = settings.get(Options.CORPUS_ENCODING);
    if (!encoding.equals(StandardCharsets.UTF_8)) { // caches were UTF-8 before there was a choice
      all.put(Options.CORPUS_ENCODING.key(), encoding.name());
    }
    Map<String, String> files = directory(storage, teacher.path());
    all.put(CORPUS, CorpusFile.combined("", corpus));
    all.put(TEACHER, combined(files));
    all.put(TOKENIZER, combined(hashes(storage, ModelFiles.tokenizer(teacher.path()))));
    all.put(LIBTORCH, Engine.getInstance().getVersion());
    return all;
  }

  /**
   * Returns the SHA-256 of each file of the model in a Hugging Face directory, by name. Other files
   * in the directory are neither hashed nor copied into a cache.
   */
  public static Map<String, String> directory(Storage storage, java.nio.file.Path directory)
      throws IOException {
    return hashes(storage, ModelFiles.all(directory));
  }

  private static Map<String, String> hashes(Storage storage, List<java.nio.file.Path> files)
      throws IOException {
    Map<String, String> hashes = new TreeMap<>();
    for (java.nio.file.Path file : files) {
      hashes.put(file.getFileName().toString(), storage.sha256(new Path(file.toUri())));
    }
    return hashes;
  }

  /** Returns one hash over the names and hashes of a directory's files, in order. */
  public static String combined(Map<String, String> hashes) {
    MessageDigest digest = Storage.digest();
    hashes.forEach((name, hash) -> digest.update((name + hash).getBytes(StandardCharsets.UTF_8)));
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Requires that a recipe has the fingerprints of a cache.
   *
   * @param recorded the cache's fingerprints
   * @param requested the recipe's fingerprints
   * @param fix how the user can fix it
   * @throws io.stillhouse.error.StillhouseException naming every fingerprint that differs
   */
  public static void requireEqual(
      Path cache, Map<String, String> recorded, Map<String, String> requested, String fix) {
    Set<String> names = new TreeSet<>(recorded.keySet());
    names.addAll(requested.keySet());
    List<String> problems = new ArrayList<>();
    for (String name : names) {
      String recordedValue = recorded.getOrDefault(name, NONE);
      String has = requested.getOrDefault(name, NONE);
      if (!recordedValue.equals(has)) {
        problems.add(
            format(
                "cache '%s' was built with %s = %s, but this recipe has %s; %s",
                cache, name, recordedValue, has, fix));
      }
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
  }
}
