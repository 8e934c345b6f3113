package io.stillhouse.config;

import static io.stillhouse.error.Text.format;

import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigIncludeContext;
import com.typesafe.config.ConfigIncluder;
import com.typesafe.config.ConfigIncluderClasspath;
import com.typesafe.config.ConfigIncluderFile;
import com.typesafe.config.ConfigIncluderURL;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigParseable;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Reads the files that a recipe includes, which must be in the directory of the recipe or below.
 * HOCON itself also reads other files, URLs and the class path, so a recipe from someone else could
 * send requests or read any file into a message.
 */
final class RecipeIncludes
    implements ConfigIncluder, ConfigIncluderFile, ConfigIncluderURL, ConfigIncluderClasspath {
  /** Refuses every include. */
  static final RecipeIncludes NONE = new RecipeIncludes("a recipe", null);

  private static final List<String> SUFFIXES = List.of(".conf", ".json", ".properties");

  private final String recipe;
  private final @Nullable Path root;

  /** The files that are being read, each of which includes the next one. */
  private final List<Path> open = new ArrayList<>();

  private RecipeIncludes(String recipe, @Nullable Path root) {
    this.recipe = recipe;
    this.root = root;
  }

  /** Allows files in the directory of a recipe and below. */
  static RecipeIncludes beside(Path recipe) {
    RecipeIncludes includes =
        new RecipeIncludes(format("recipe '%s'", recipe), recipe.normalize().getParent());
    includes.open.add(real(recipe));
    return includes;
  }

  @Override
  public ConfigIncluder withFallback(ConfigIncluder fallback) {
    return this; // the fallback would read what is refused here
  }

  @Override
  public ConfigObject include(ConfigIncludeContext context, String what) {
    if (what.matches("[A-Za-z][A-Za-z0-9+.-]*:.*")) {
      throw refused(what);
    }
    return file(context, what);
  }

  @Override
  public ConfigObject includeFile(ConfigIncludeContext context, File what) {
    return file(context, what.getPath());
  }

  @Override
  public ConfigObject includeURL(ConfigIncludeContext context, URL what) {
    throw refused(what.toString());
  }

  @Override
  public ConfigObject includeResources(ConfigIncludeContext context, String what) {
    throw refused(format("classpath(%s)", what));
  }

  private ConfigObject file(ConfigIncludeContext context, String what) {
    if (SUFFIXES.stream().anyMatch(what::endsWith)) {
      return parsed(context, what);
    }
    ConfigObject merged = ConfigFactory.empty().root();
    boolean found = false;
    for (String suffix : SUFFIXES) {
      Path file = target(context, what + suffix);
      if (Files.exists(file)) {
        found = true;
        merged = merged.withFallback(parsed(context, what + suffix));
      }
    }
    return found ? merged : parsed(context, what);
  }

  private ConfigObject parsed(ConfigIncludeContext context, String what) {
    Path target = target(context, what);
    Path real = real(target);
    if (open.contains(real)) {
      throw circular(real);
    }
    open.add(real);
    ConfigParseOptions options = context.parseOptions().setOriginDescription(null);
    try {
      // A file that exists but cannot be read is an error, although a missing one is none.
      return ConfigFactory.parseFile(
              target.toFile(),
              options.setAllowMissing(options.getAllowMissing() && !Files.exists(target)))
          .root();
    } finally {
      open.remove(open.size() - 1);
    }
  }

  /** Returns one path for all names of a file. */
  private static Path real(Path file) {
    try {
      return file.toRealPath();
    } catch (IOException e) {
      return file.normalize(); // it does not exist, which reading it reports
    }
  }

  private StillhouseException circular(Path file) {
    List<String> names = new ArrayList<>();
    for (Path each : open.subList(open.indexOf(file), open.size())) {
      names.add(String.valueOf(each.getFileName()));
    }
    String name = String.valueOf(file.getFileName());
    names.add(name);
    return Errors.invalid(
        format(
            "%s cannot be read, because '%s' includes itself: %s",
            recipe, Errors.shortened(name), Errors.shortened(String.join(" -> ", names))),
        "remove one of these includes");
  }

  /** Returns the path of an included file, relative to the file that includes it. */
  private Path target(ConfigIncludeContext context, String what) {
    ConfigParseable here = root == null ? null : context.relativeTo(".");
    String directory = here == null ? null : here.origin().filename();
    if (directory == null) {
      throw refused(what);
    }
    try {
      Path allowed = Objects.requireNonNull(root);
      Path target = Path.of(directory).resolve(what).normalize();
      // A link may lead out of the directory, although the name does not.
      if (!target.startsWith(allowed)
          || Files.exists(target) && !target.toRealPath().startsWith(allowed.toRealPath())) {
        throw refused(what);
      }
      return target;
    } catch (InvalidPathException e) {
      throw refused(what);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private StillhouseException refused(String what) {
    return Errors.invalid(
        format(
            "%s includes '%s', but only files in the directory of the recipe or below can be"
                + " included",
            recipe, Errors.shortened(what)),
        "copy the file there and include it by its name");
  }
}
