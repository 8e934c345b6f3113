package io.stillhouse.jobs;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.LineMap;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.Tree;
import com.sun.source.tree.VariableTree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreeScanner;
import com.sun.source.util.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import javax.lang.model.element.Modifier;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/** Limits on the size of the main code of both modules, and on what a package declares. */
class SourcesTest {
  private static final List<Path> MODULES =
      List.of(Path.of("../core/src/main/java"), Path.of("src/main/java"));
  private static final int MAX_LINES = 400;
  private static final int MAX_LINES_OF_METHOD = 60;
  private static final int MAX_PARAMETERS = 7;

  /** The table of all settings, which grows by a few lines for each. */
  private static final Set<String> LONG_FILES = Set.of("Options.java");

  @Test
  void filesHaveAtMostFourHundredLines() throws IOException {
    List<String> found = new ArrayList<>();
    for (Path file : sources()) {
      long lines = Files.readAllLines(file).size();
      if (lines > MAX_LINES && !LONG_FILES.contains(file.getFileName().toString())) {
        found.add(format("%s: %d lines", file, lines));
      }
    }
    assertThat(found).isEmpty();
  }

  @Test
  void methodsHaveAtMostSixtyLines() throws IOException {
    List<String> found = new ArrayList<>();
    scan(
        (unit, positions) ->
            new TreeScanner<Void, Void>() {
              @Override
              public Void visitMethod(MethodTree method, Void unused) {
                int lines = lines(unit, positions, method);
                if (lines > MAX_LINES_OF_METHOD) {
                  found.add(format("%s: %d lines", name(unit, method.getName()), lines));
                }
                return super.visitMethod(method, unused);
              }
            });
    assertThat(found).isEmpty();
  }

  @Test
  void methodsAndRecordsHaveAtMostSevenParameters() throws IOException {
    List<String> found = new ArrayList<>();
    scan(
        (unit, positions) ->
            new TreeScanner<Void, Void>() {
              @Override
              public Void visitMethod(MethodTree method, Void unused) {
                note(method.getName(), method.getParameters().size());
                return super.visitMethod(method, unused);
              }

              @Override
              public Void visitClass(ClassTree type, Void unused) {
                if (type.getKind() == Tree.Kind.RECORD) {
                  note(type.getSimpleName(), components(type));
                }
                return super.visitClass(type, unused);
              }

              private void note(CharSequence name, long parameters) {
                if (parameters > MAX_PARAMETERS) {
                  found.add(format("%s: %d parameters", name(unit, name), parameters));
                }
              }
            });
    assertThat(found).isEmpty();
  }

  @Test
  void everyPackageIsNullMarkedAndDescribed() throws IOException {
    List<String> found = new ArrayList<>();
    for (Path directory : sources().stream().map(Path::getParent).distinct().toList()) {
      Path info = directory.resolve("package-info.java");
      String text = Files.exists(info) ? Files.readString(info) : "";
      if (!text.startsWith("/**") || !text.contains("NullMarked\n")) {
        found.add(directory.toString());
      }
    }
    assertThat(found).isEmpty();
  }

  private static long components(ClassTree record) {
    return record.getMembers().stream()
        .filter(
            member ->
                member instanceof VariableTree field
                    && !field.getModifiers().getFlags().contains(Modifier.STATIC))
        .count();
  }

  private static int lines(CompilationUnitTree unit, SourcePositions positions, Tree tree) {
    LineMap lines = unit.getLineMap();
    long start = lines.getLineNumber(positions.getStartPosition(unit, tree));
    long end = positions.getEndPosition(unit, tree); // -1 where the compiler adds the method
    return end < 0 ? 0 : (int) (lines.getLineNumber(end) - start + 1);
  }

  private static String name(CompilationUnitTree unit, CharSequence member) {
    return format("%s, %s", Path.of(unit.getSourceFile().toUri()).getFileName(), member.toString());
  }

  private interface Scanner {
    TreeScanner<Void, Void> of(CompilationUnitTree unit, SourcePositions positions);
  }

  private static void scan(Scanner scanner) throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
      JavacTask task =
          (JavacTask)
              compiler.getTask(
                  null,
                  files,
                  null,
                  List.of("-proc:none"),
                  null,
                  files.getJavaFileObjectsFromPaths(sources()));
      SourcePositions positions = Trees.instance(task).getSourcePositions();
      for (CompilationUnitTree unit : task.parse()) {
        scanner.of(unit, positions).scan(unit, null);
      }
    }
  }

  private static List<Path> sources() throws IOException {
    List<Path> all = new ArrayList<>();
    for (Path module : MODULES) {
      try (Stream<Path> files = Files.walk(module)) {
        files.filter(file -> file.toString().endsWith(".java")).sorted().forEach(all::add);
      }
    }
    assertThat(all).isNotEmpty();
    return all;
  }
}
