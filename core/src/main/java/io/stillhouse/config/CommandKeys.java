package io.stillhouse.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The commands that take settings, and the keys that each of them reads. Help, shell completion and
 * the settings table of conf/README.md are derived from this list; a test compares it with the keys
 * that the commands read.
 */
public enum CommandKeys {
  FINETUNE(
      "task",
      "teacher.path",
      "corpus.*",
      "cache.seed",
      "targets.mask-probability",
      "train.*",
      "finetune.*",
      "evaluate.metrics"),
  PLAN("task", "teacher.*", "corpus.*", "cache.*", "targets.*", "student.*", "loss.*", "train.*", "plan.*"),
  CACHE("task", "teacher.*", "corpus.*", "cache.*", "targets.*", "loss.soft-label.temperature", "train.order"),
  VERIFY("teacher.path", "cache.seed", "verify.rows"),
  TRAIN("task", "teacher.*", "corpus.*", "cache.path", "targets.*", "student.*", "loss.*", "train.*"),
  SWEEP("task", "teacher.*", "corpus.*", "cache.path", "targets.*", "student.*", "loss.*", "train.*", "sweep.*"),
  AUGMENT("task", "teacher.path", "corpus.*", "cache.batch-tokens", "cache.precision", "augment.*"),
  EVALUATE("task", "teacher.*", "corpus.*", "cache.*", "train.path", "evaluate.*"),
  HEAD_IMPORTANCE("task", "teacher.path", "corpus.*", "cache.batch-tokens", "head-importance.*"),
  EXPORT("train.path", "student.name", "export.*"),
  /** Runs the whole flow, so it takes the keys of each step. */
  QUICKSTART(CACHE, TRAIN, EVALUATE, EXPORT);

  private final List<Option<?>> options;

  CommandKeys(String... patterns) {
    List<String> all = List.of(patterns);
    this.options =
        Options.ALL.stream()
            .filter(option -> all.contains(option.key()) || all.contains(option.group() + ".*"))
            .toList();
  }

  CommandKeys(CommandKeys... steps) {
    this.options =
        Options.ALL.stream()
            .filter(option -> Stream.of(steps).anyMatch(step -> step.options.contains(option)))
            .toList();
  }

  /** Returns the keys of a command, if it takes settings. */
  public static Optional<CommandKeys> of(String command) {
    return Stream.of(values()).filter(keys -> keys.command().equals(command)).findFirst();
  }

  /** Returns the commands that read an option, without quickstart. */
  public static List<CommandKeys> reading(Option<?> option) {
    return Stream.of(values())
        .filter(keys -> keys != QUICKSTART && keys.options.contains(option))
        .toList();
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
