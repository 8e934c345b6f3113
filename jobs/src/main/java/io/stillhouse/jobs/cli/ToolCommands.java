package io.stillhouse.jobs.cli;

import io.stillhouse.jobs.cache.check.CacheDiff;
import io.stillhouse.jobs.cache.check.VacuumJob;
import io.stillhouse.jobs.evaluate.LogitsFile;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;

/** The commands that need neither a recipe nor a Spark session. */
@Command(mixinStandardHelpOptions = true, scope = ScopeType.INHERIT)
final class ToolCommands {
  @Command(
      name = "vacuum",
      description = {
        "Deletes files of a cache that its manifest does not reference.",
        "",
        "Reads: the manifest of CACHE.",
        "Deletes: leftovers of killed attempts, revoked files and temporary files. Refused while a"
            + " command writes to the cache."
      })
  int vacuum(
      @Parameters(paramLabel = "CACHE", description = "Directory of the cache.") String cache)
      throws IOException {
    Storage storage = Storage.ofThisProcess();
    VacuumJob.Result result = VacuumJob.run(storage, storage.requireExisting("CACHE", cache));
    result.removed().forEach(file -> Stillhouse.say("removed %s", file));
    Stillhouse.say(
        "vacuumed %s: %,d files, %,d bytes",
        result.cache(), result.removed().size(), result.bytes());
    return 0;
  }

  @Command(
      name = "logits",
      description = {
        "Writes a model's logits for lines of text, to compare with other software.",
        "",
        "Reads: MODEL, a Hugging Face directory, and TEXT, with one sentence per line.",
        "Writes: OUT, a safetensors file."
      })
  int logits(
      @Parameters(paramLabel = "MODEL", description = "A Hugging Face directory.") Path model,
      @Parameters(paramLabel = "TEXT", description = "One sentence per line.") Path text,
      @Parameters(paramLabel = "OUT", description = "A safetensors file.") Path out)
      throws IOException {
    Stillhouse.say("wrote logits of %d lines to %s", LogitsFile.write(model, text, out), out);
    return 0;
  }

  @Command(
      name = "diff",
      description = {
        "Compares two caches, or two directories of students.",
        "",
        "Reads: A and B. Row keys must be identical, tensors equal up to rounding.",
        "Writes: nothing."
      },
      exitCodeList = {
        "0:A and B are equal.",
        "1:A and B differ, or another failure.",
        "2:Mistake in the arguments or the data."
      })
  int diff(
      @Parameters(paramLabel = "A", description = "A cache, or a directory of students.") String a,
      @Parameters(paramLabel = "B", description = "Another one.") String b)
      throws IOException {
    CacheDiff.Result result = CacheDiff.compare(a, b);
    Stillhouse.say("%s", result.words());
    return result.equal() ? 0 : 1;
  }

  @Command(
      name = "completion",
      description = {
        "Prints a bash completion script for commands and keys.",
        "",
        "Reads: nothing.",
        "Writes: nothing. To use the script: source <(jobs/bin/stillhouse completion)"
      })
  int completion() {
    System.out.print(Completion.script());
    return 0;
  }
}
