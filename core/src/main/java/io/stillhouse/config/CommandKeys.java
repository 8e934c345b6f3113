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
      "job.*",
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
      "job.*",
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
      "job.*",
      "teacher.*",
      "corpus.*",
      "cache.*",
      "targets.*",
      "loss.soft-label.temperature",
      "train.order"),
  VERIFY("device", "job.*", "cache.seed", "verify.*"),
  TRAIN(
      "general.*",
      "job.*",
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
      "job.*",
      "teacher.path",
      "corpus.*",
      "-corpus.unlabelled",
      "cache.batch-tokens",
      "cache.precision",
      "augment.*"),
  EVALUATE(
      "general.*",
      "job.*",
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
      "job.*",
      "teacher.path",
      "corpus.*",
      "-corpus.unlabelled",
      "cache.batch-tokens",
      "targets.mask-probability",
      "head-importance.*"),
  EXPORT(
      "general.*",
      "job.*",
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
  REPORT("job.*", "report.*"),
  PREDICT(
      "device",
      "job.*",
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
  /** Checks a recipe for all steps from plan to export, so it takes the keys of all of them. */
  CHECK(
      Stream.of(PLAN, CACHE, SWEEP, EVALUATE, EXPORT)
          .flatMap(step -> step.options.stream())
          .toList()),
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
   * Returns the commands that read an option. Those that run or check other commands are named only
   * for their own options.
   */
  public static List<CommandKeys> commandsReading(Option<?> option) {
    return Stream.of(values())
        .filter(keys -> keys.options.contains(option))
        .filter(keys -> !keys.readsForOthers() || option.group().equals("distill"))
        .toList();
  }

  private boolean readsForOthers() {
    return this == DISTILL || this == QUICKSTART || this == CHECK;
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
