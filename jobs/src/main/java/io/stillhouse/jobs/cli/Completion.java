package io.stillhouse.jobs.cli;

import io.stillhouse.config.CommandKeys;
import java.util.List;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/** The bash completion script. It completes commands, options, and keys as {@code key=}. */
final class Completion {
  /**
   * Completes file names after "=", which separates words in bash, and adds no space after "key=".
   */
  private static final String KEYS =
      """

      function _complete_stillhouse_keys() {
        COMPREPLY=()
        if [[ ${COMP_WORDS[COMP_CWORD]} == "=" || ${COMP_WORDS[COMP_CWORD-1]} == "=" ]]; then return; fi
        _complete_stillhouse
        if [[ ${COMPREPLY[0]-} == *= ]]; then compopt -o nospace 2> /dev/null || true; fi
      }
      complete -F _complete_stillhouse_keys -o default stillhouse
      """;

  private Completion() {}

  static String script() {
    CommandLine commands = CommandLines.ofNoRun();
    commands.getSubcommands().forEach(Completion::completeKeys);
    return AutoComplete.bash("stillhouse", commands) + KEYS;
  }

  private static void completeKeys(String name, CommandLine command) {
    CommandKeys.of(name)
        .ifPresent(
            keys -> {
              CommandSpec spec = command.getCommandSpec();
              List<PositionalParamSpec> positionals = spec.positionalParameters();
              PositionalParamSpec last = positionals.get(positionals.size() - 1);
              List<String> candidates =
                  keys.options().stream().map(option -> option.key() + "=").toList();
              spec.remove(last);
              spec.addPositional(last.toBuilder().completionCandidates(candidates).build());
            });
  }
}
