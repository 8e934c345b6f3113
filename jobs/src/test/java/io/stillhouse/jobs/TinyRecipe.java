package io.stillhouse.jobs;

import io.stillhouse.config.Settings;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Builds recipes for the tiny golden teachers. Recipes are immutable: every method returns a copy,
 * so tests of one class can share a base. The last value of a key wins.
 *
 * <pre>{@code
 * TinyRecipe.labelled(corpus).cache(directory).tinyBertTargets().student(students).settings();
 * }</pre>
 */
public final class TinyRecipe {
  private final List<String> keyValues;

  private TinyRecipe(List<String> keyValues) {
    this.keyValues = List.copyOf(keyValues);
  }

  /** Returns a recipe that sets nothing. */
  public static TinyRecipe empty() {
    return new TinyRecipe(List.of());
  }

  /**
   * Returns a recipe for rows as {@link Tiny#labelled} writes them, with {@link Tiny#CLS}.
   *
   * @param corpus a path, or a list of paths as in a recipe
   */
  public static TinyRecipe labelled(Object corpus) {
    return unlabelled(corpus).with("corpus.label=label");
  }

  /** Like {@link #labelled}, but ignores the labels. */
  public static TinyRecipe unlabelled(Object corpus) {
    return text(corpus).teacher(Tiny.CLS).with("corpus.text=text");
  }

  /** Returns a recipe for lines as {@link Tiny#lines} writes them, with {@link Tiny#MLM}. */
  public static TinyRecipe text(Object corpus) {
    return empty()
        .teacher(Tiny.MLM)
        .with("corpus.path=" + corpus, "corpus.max-length=40"); // the models' positions
  }

  public TinyRecipe teacher(Path model) {
    return with("teacher.path=" + model);
  }

  /** Names the cache: a path or, for another file system, a URI. */
  public TinyRecipe cache(Object directory) {
    return with("cache.path=" + directory);
  }

  /** Cuts the cache into several shards, even of a small corpus. */
  public TinyRecipe shardTokens(int tokens) {
    return with("cache.shard-tokens=" + tokens);
  }

  /** Stores the targets that {@link #tinyBertLosses} of a student of one block reads. */
  public TinyRecipe tinyBertTargets() {
    return with("targets.hidden=[0,3]", "targets.attention=[3]");
  }

  /**
   * Adds a student of one block that learns soft labels and hidden states, from random weights and
   * without dropout, for one epoch and on one thread.
   *
   * @param students where students are written: a path or a URI
   */
  public TinyRecipe student(Object students) {
    return with(
        "train.path=" + students,
        "student.layers=1",
        "student.hidden-size=16",
        "student.heads=4",
        "student.init=random",
        "student.dropout=0",
        "loss.soft-label.weight=1",
        "loss.hidden-mse.weight=1",
        "train.epochs=1",
        "train.batch-size=8",
        "train.learning-rate=3e-3",
        "train.threads=1");
  }

  /** Trains the student alone, without its baseline. */
  public TinyRecipe withoutBaseline() {
    return with("train.baseline=false");
  }

  /** Adds TinyBERT's terms on the last block: embeddings, hidden states and attention scores. */
  public TinyRecipe tinyBertLosses() {
    return with(
        "loss.hidden-mse.weight=1", "loss.embedding-mse.weight=1", "loss.attention-mse.weight=1");
  }

  /** Sets further keys, as {@code key=value}. */
  public TinyRecipe with(String... more) {
    List<String> all = new ArrayList<>(keyValues);
    all.addAll(List.of(more));
    return new TinyRecipe(all);
  }

  /** Returns the keys and values in the order in which they were set. */
  public List<String> keyValues() {
    return keyValues;
  }

  /** Returns a command line with this recipe. */
  public String[] command(String command) {
    List<String> words = new ArrayList<>(List.of(command));
    words.addAll(keyValues);
    return words.toArray(String[]::new);
  }

  /** Returns the settings of this recipe and of {@code more}, which wins. */
  public Settings settings(String... more) {
    return Settings.parse(null, with(more).keyValues);
  }
}
