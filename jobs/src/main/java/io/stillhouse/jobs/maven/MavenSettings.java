package io.stillhouse.jobs.maven;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Predicate;
import org.apache.maven.settings.Profile;
import org.apache.maven.settings.Repository;
import org.apache.maven.settings.Settings;
import org.apache.maven.settings.building.DefaultSettingsBuilderFactory;
import org.apache.maven.settings.building.DefaultSettingsBuildingRequest;
import org.apache.maven.settings.building.SettingsBuildingException;
import org.apache.maven.settings.crypto.DefaultSettingsDecrypter;
import org.apache.maven.settings.crypto.DefaultSettingsDecryptionRequest;
import org.apache.maven.settings.crypto.SettingsDecryptionResult;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.sonatype.plexus.components.cipher.DefaultPlexusCipher;
import org.sonatype.plexus.components.sec.dispatcher.DefaultSecDispatcher;

/**
 * The effective Maven settings of a user: {@code ~/.m2/settings.xml}, then {@code
 * conf/settings.xml} of the installation in {@code MAVEN_HOME}, with decrypted passwords.
 *
 * @param file the user's file, for messages; it need not exist
 * @param localRepository the directory to which jars are downloaded
 * @param settings the merged settings
 */
record MavenSettings(Path file, Path localRepository, Settings settings) {
  private static final Logger LOG = LoggerFactory.getLogger(MavenSettings.class);

  /** Java's home directory of users that are not in the user database, as in many containers. */
  private static final String NO_HOME = "?";

  /** Reads the settings of the user who runs this process. */
  static MavenSettings ofUser() {
    String home = System.getProperty("user.home");
    if (home.equals(NO_HOME)) {
      home = System.getenv().getOrDefault("HOME", "");
    }
    return of(Path.of(home), System.getenv());
  }

  /**
   * Reads settings.
   *
   * @param home the user's home directory
   * @param environment environment variables, which settings can contain as {@code ${env.NAME}}
   */
  static MavenSettings of(Path home, Map<String, String> environment) {
    Path directory = home.resolve(".m2");
    Path file = directory.resolve("settings.xml");
    Properties properties = new Properties();
    properties.putAll(System.getProperties());
    environment.forEach((name, value) -> properties.put("env." + name, value));
    DefaultSettingsBuildingRequest request = new DefaultSettingsBuildingRequest();
    request.setSystemProperties(properties);
    request.setUserSettingsFile(file.toFile());
    String installation = environment.get("MAVEN_HOME");
    if (installation != null) {
      request.setGlobalSettingsFile(Path.of(installation, "conf", "settings.xml").toFile());
    }
    Settings settings;
    try {
      settings =
          new DefaultSettingsBuilderFactory().newInstance().build(request).getEffectiveSettings();
    } catch (SettingsBuildingException e) {
      throw Errors.invalid(
          format("Maven's settings cannot be read: %s", e.getProblems().get(0)),
          format("correct '%s'", file),
          e);
    }
    decrypt(settings, directory.resolve("settings-security.xml"));
    String local = settings.getLocalRepository();
    return new MavenSettings(
        file, local == null ? directory.resolve("repository") : Path.of(local), settings);
  }

  /** Replaces encrypted passwords, as {@code mvn --encrypt-password} prints them. */
  private static void decrypt(Settings settings, Path security) {
    DefaultSecDispatcher passwords =
        new DefaultSecDispatcher(new DefaultPlexusCipher(), Map.of(), security.toString());
    SettingsDecryptionResult result =
        new DefaultSettingsDecrypter(passwords)
            .decrypt(new DefaultSettingsDecryptionRequest(settings));
    // As in Maven, a server whose password cannot be decrypted only matters if it is used.
    result.getProblems().forEach(problem -> LOG.warn("Maven's settings: {}", problem));
    settings.setServers(result.getServers());
    settings.setProxies(result.getProxies());
  }

  /**
   * Returns the repositories of all profiles that are named as active or, without such a profile,
   * are active by default. Conditions on the Java version, the system or files are not evaluated.
   */
  List<Repository> repositories() {
    Predicate<Profile> named = profile -> settings.getActiveProfiles().contains(profile.getId());
    Predicate<Profile> byDefault =
        profile -> profile.getActivation() != null && profile.getActivation().isActiveByDefault();
    List<Profile> profiles = settings.getProfiles();
    Predicate<Profile> active = profiles.stream().anyMatch(named) ? named : byDefault;
    return profiles.stream()
        .filter(active)
        .flatMap(profile -> profile.getRepositories().stream())
        .toList();
  }
}
