package io.stillhouse.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The commands that take settings, and the keys that each of them reads. Help, shell completion and
 * the settings table of conf/README.md are derived from this list; a test compares it with the keys
 * that the commands read.
 */
public enum CommandKeys {
  FINETUNE(
      "general.*",
      "teacher.path",
      "corpus.*",
      "-corpus.unlabelled",
      "cache.*",
      "-cache.window",
      "targets.dtype",
      "targets.mask-probability",
      "targets.mask-variants",
      "loss.hard-label.class-weights",
      "train.*",
      "-train.path",
      "-train.validation",
      "-train.stages",
      "-train.baseline",
      "finetune.*",
      "evaluate.metrics"),
  PLAN(
      "general.*",
      "teacher.*",
      "corpus.*",
      "cache.*",
      "targets.*",
      "student.*",
      "loss.*",
      "train.*",
      "plan.*"),
  CACHE(
      "general.*",
      "teacher.*",
      "corpus.*",
      "cache.*",
      "targets.*",
      "loss.soft-label.temperature",
      "train.order"),
  VERIFY("device", "cache.seed", "verify.*"),
  TRAIN(
      "general.*",
      "teacher.*",
      "corpus.*",
      "-corpus.invalid-rows",
      "-corpus.max-invalid",
      "-corpus.unlabelled",
      "cache.*",
      "-cache.window",
      "targets.*",
      "-targets.hidden",
      "-targets.attention",
      "-targets.value-relations",
      "student.*",
      "loss.*",
      "train.*",
      "evaluate.metrics",
      "report.output"),
  SWEEP(TRAIN, "sweep.*"),
  AUGMENT(
      "general.*",
      "teacher.path",
      "corpus.*",
      "-corpus.unlabelled",
      "cache.batch-tokens",
      "cache.precision",
      "augment.*"),
  EVALUATE(
      "general.*",
      "teacher.*",
      "corpus.*",
      "-corpus.unlabelled",
      "cache.path",
      "cache.batch-tokens",
      "cache.seed",
      "targets.mask-probability",
      "train.path",
      "evaluate.*",
      "report.output"),
  HEAD_IMPORTANCE(
      "general.*",
      "teacher.path",
      "corpus.*",
      "-corpus.unlabelled",
      "cache.batch-tokens",
      "targets.mask-probability",
      "head-importance.*"),
  EXPORT(
      "general.*",
      "corpus.*",
      "-corpus.path",
      "-corpus.unlabelled",
      "cache.path",
      "cache.batch-tokens",
      "cache.seed",
      "targets.mask-probability",
      "train.path",
      "student.name",
      "evaluate.metrics",
      "export.*"),
  REPORT("report.*"),
  PREDICT(
      "device",
      "corpus.format",
      "corpus.header",
      "corpus.encoding",
      "corpus.text",
      "corpus.pair",
      "corpus.max-length",
      "predict.*"),
  /** Runs every step, so it takes the keys of all steps, except for those that it sets itself. */
  DISTILL(
      Stream.of(FINETUNE, PLAN, CACHE, TRAIN, EVALUATE, EXPORT)
          .flatMap(step -> step.options.stream())
          .toList(),
      "distill.*",
      "report.*",
      "-corpus.path",
      "-teacher.name",
      "-cache.path",
      "-cache.window",
      "-train.path",
      "-train.validation",
      "-finetune.from",
      "-finetune.to",
      "-finetune.validation",
      "-plan.output",
      "-evaluate.path",
      "-evaluate.models",
      "-evaluate.exports",
      "-evaluate.output",
      "-export.from",
      "-export.to",
      "-export.evaluate"),
  /** Distills a table of its own. */
  QUICKSTART(DISTILL, "distill.*");

  private final List<Option<?>> options;

  /**
   * Lists the keys of a command.
   *
   * @param patterns keys; {@code GROUP.*} adds a group, and {@code -KEY} removes a key from it
   */
  CommandKeys(String... patterns) {
    this(List.of(), patterns);
  }

  CommandKeys(CommandKeys base, String... patterns) {
    this(base.options, patterns);
  }

  CommandKeys(List<Option<?>> more, String... patterns) {
    Set<String> all = Set.of(patterns);
    this.options =
        Options.ALL.stream()
            .filter(option -> !all.contains("-" + option.key()))
            .filter(
                option ->
                    more.contains(option)
                        || all.contains(option.key())
                        || all.contains(option.group() + ".*"))
            .toList();
  }

  /** Returns the keys of a command, or empty if the command takes no settings. */
  public static Optional<CommandKeys> of(String command) {
    return Stream.of(values()).filter(keys -> keys.command().equals(command)).findFirst();
  }

  /**
   * Returns the commands that read an option. Those that run other commands are named only for
   * their own options.
   */
  public static List<CommandKeys> commandsReading(Option<?> option) {
    return Stream.of(values())
        .filter(keys -> keys.options.contains(option))
        .filter(keys -> !keys.runsOthers() || option.group().equals("distill"))
        .toList();
  }

  private boolean runsOthers() {
    return this == DISTILL || this == QUICKSTART;
  }

  /** Returns the name of the command. */
  public String command() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Returns the options that the command reads, in the order of {@link Options#ALL}. */
  public List<Option<?>> options() {
    return options;
  }

  /** Returns the options by group. */
  public Map<String, List<Option<?>>> groups() {
    Map<String, List<Option<?>>> groups = new LinkedHashMap<>();
    options.forEach(
        option -> groups.computeIfAbsent(option.group(), g -> new ArrayList<>()).add(option));
    return groups;
  }
}
