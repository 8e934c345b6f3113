package io.stillhouse.jobs.maven;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.maven.model.interpolation.ModelInterpolator;
import org.apache.maven.settings.Mirror;
import org.apache.maven.settings.Proxy;
import org.apache.maven.settings.Repository;
import org.apache.maven.settings.Server;
import org.codehaus.plexus.util.xml.Xpp3Dom;
import org.eclipse.aether.RepositorySystem;
import org.eclipse.aether.RepositorySystemSession.CloseableSession;
import org.eclipse.aether.RepositorySystemSession.SessionBuilder;
import org.eclipse.aether.artifact.DefaultArtifact;
import org.eclipse.aether.repository.AuthenticationSelector;
import org.eclipse.aether.repository.MirrorSelector;
import org.eclipse.aether.repository.ProxySelector;
import org.eclipse.aether.repository.RemoteRepository;
import org.eclipse.aether.repository.RepositoryPolicy;
import org.eclipse.aether.resolution.ArtifactRequest;
import org.eclipse.aether.resolution.ArtifactResolutionException;
import org.eclipse.aether.supplier.RepositorySystemSupplier;
import org.eclipse.aether.supplier.SessionBuilderSupplier;
import org.eclipse.aether.transfer.ArtifactNotFoundException;
import org.eclipse.aether.transfer.ChecksumFailureException;
import org.eclipse.aether.transfer.RepositoryOfflineException;
import org.eclipse.aether.transfer.TransferListener;
import org.eclipse.aether.util.repository.AuthenticationBuilder;
import org.eclipse.aether.util.repository.DefaultAuthenticationSelector;
import org.eclipse.aether.util.repository.DefaultMirrorSelector;
import org.eclipse.aether.util.repository.DefaultProxySelector;
import org.jspecify.annotations.Nullable;

/** The repositories of Maven's settings, followed by Maven Central. */
final class MavenRepositories implements AutoCloseable {
  private static final String CENTRAL = "central";
  private static final String LAYOUT = "default";

  private final MavenSettings settings;
  private final RepositorySystem system = new RepositorySystemSupplier().get();

  MavenRepositories(MavenSettings settings) {
    this.settings = settings;
  }

  /**
   * Downloads a jar to the local repository and checks its checksum.
   *
   * @param to the path of the jar in the local repository, for messages
   */
  Path download(MavenArtifact artifact, Path to) throws IOException {
    Files.createDirectories(settings.localRepository());
    DefaultArtifact jar =
        new DefaultArtifact(artifact.group(), artifact.artifact(), "jar", artifact.version());
    try (Downloads downloads = new Downloads(artifact.artifact());
        CloseableSession session = session(downloads)) {
      List<RemoteRepository> repositories = system.newResolutionRepositories(session, declared());
      return system
          .resolveArtifact(session, new ArtifactRequest(jar, repositories, null))
          .getArtifact()
          .getPath();
    } catch (ArtifactResolutionException e) {
      throw explain(artifact, to, e);
    }
  }

  private RuntimeException explain(
      MavenArtifact artifact, Path to, ArtifactResolutionException error) {
    if (caused(error, RepositoryOfflineException.class)) {
      return Errors.invalid(
          format("'%s' is not in the local repository, and Maven is set to offline mode", artifact),
          format("put the jar at '%s', or remove <offline> from '%s'", to, settings.file()),
          error);
    }
    if (caused(error, ChecksumFailureException.class)) {
      return Errors.invalid(
          format("'%s' was downloaded with a wrong checksum: %s", artifact, reason(error)),
          "try again; if that does not help, ask the administrator of the repository or its mirror",
          error);
    }
    if (error.getCause() instanceof ArtifactNotFoundException) {
      return Errors.invalid(
          format(
              "no Maven repository has '%s': it is not in %s",
              artifact,
              String.join(
                  ", ",
                  error.getResult().getRequest().getRepositories().stream()
                      .map(RemoteRepository::getId)
                      .toList())),
          format("check the coordinates, or add a repository that has it to '%s'", settings.file()),
          error);
    }
    return Errors.unavailable(
        format("'%s' could not be downloaded: %s", artifact, reason(error)),
        format(
            "check the network and the mirrors, proxies and servers in '%s', or put the jar at"
                + " '%s'",
            settings.file(), to),
        error);
  }

  /** Returns the message of the first repository that failed. */
  private static String reason(ArtifactResolutionException error) {
    return String.valueOf((error.getCause() == null ? error : error.getCause()).getMessage());
  }

  private static boolean caused(Throwable error, Class<? extends Throwable> by) {
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (by.isInstance(cause)) {
        return true;
      }
    }
    return false;
  }

  private CloseableSession session(TransferListener listener) {
    SessionBuilder builder =
        new SessionBuilderSupplier(system)
            .get()
            .withLocalRepositoryBaseDirectories(settings.localRepository())
            .setOffline(settings.settings().isOffline())
            .setChecksumPolicy(RepositoryPolicy.CHECKSUM_POLICY_FAIL)
            .setUpdatePolicy(RepositoryPolicy.UPDATE_POLICY_ALWAYS)
            .setMirrorSelector(mirrors())
            .setProxySelector(proxies())
            .setAuthenticationSelector(servers())
            .setTransferListener(listener)
            .setSystemProperties(System.getProperties());
    for (Server server : settings.settings().getServers()) {
      Map<String, String> headers = headers(server);
      if (!headers.isEmpty()) {
        builder.setConfigProperty("aether.transport.http.headers." + server.getId(), headers);
      }
    }
    return builder.build();
  }

  private MirrorSelector mirrors() {
    DefaultMirrorSelector mirrors = new DefaultMirrorSelector();
    for (Mirror mirror : settings.settings().getMirrors()) {
      mirrors.add(
          mirror.getId(),
          mirror.getUrl(),
          mirror.getLayout(),
          false,
          mirror.isBlocked(),
          mirror.getMirrorOf(),
          mirror.getMirrorOfLayouts());
    }
    return mirrors;
  }

  private ProxySelector proxies() {
    DefaultProxySelector proxies = new DefaultProxySelector();
    for (Proxy proxy : settings.settings().getProxies()) {
      if (proxy.isActive()) {
        proxies.add(
            new org.eclipse.aether.repository.Proxy(
                proxy.getProtocol(),
                proxy.getHost(),
                proxy.getPort(),
                new AuthenticationBuilder()
                    .addUsername(proxy.getUsername())
                    .addPassword(proxy.getPassword())
                    .build()),
            proxy.getNonProxyHosts());
      }
    }
    return proxies;
  }

  private AuthenticationSelector servers() {
    DefaultAuthenticationSelector servers = new DefaultAuthenticationSelector();
    for (Server server : settings.settings().getServers()) {
      servers.add(
          server.getId(),
          new AuthenticationBuilder()
              .addUsername(server.getUsername())
              .addPassword(server.getPassword())
              .addPrivateKey(server.getPrivateKey(), server.getPassphrase())
              .build());
    }
    return servers;
  }

  /** Returns the HTTP headers of a server, which some repositories need in place of a password. */
  private static Map<String, String> headers(Server server) {
    Map<String, String> headers = new LinkedHashMap<>();
    if (server.getConfiguration() instanceof Xpp3Dom configuration) {
      Xpp3Dom listed = configuration.getChild("httpHeaders");
      Xpp3Dom[] properties = listed == null ? new Xpp3Dom[0] : listed.getChildren("property");
      for (Xpp3Dom property : properties) {
        Xpp3Dom name = property.getChild("name");
        Xpp3Dom value = property.getChild("value");
        if (name != null && value != null) { // Maven ignores others, too
          headers.put(name.getValue(), value.getValue());
        }
      }
    }
    return headers;
  }

  private List<RemoteRepository> declared() {
    List<RemoteRepository> declared = new ArrayList<>();
    for (Repository repository : settings.repositories()) {
      declared.add(
          new RemoteRepository.Builder(repository.getId(), LAYOUT, repository.getUrl())
              .setReleasePolicy(policy(repository.getReleases()))
              .setSnapshotPolicy(policy(repository.getSnapshots()))
              .build());
    }
    if (declared.stream().noneMatch(repository -> repository.getId().equals(CENTRAL))) {
      declared.add(central());
    }
    return declared;
  }

  /**
   * Returns the repository that Maven reads if its settings do not declare another {@code central}.
   */
  static RemoteRepository central() {
    return new RemoteRepository.Builder(
            CENTRAL, LAYOUT, ModelInterpolator.DEFAULT_MAVEN_REPO_CENTRAL_URL)
        .build();
  }

  private static RepositoryPolicy policy(
      org.apache.maven.settings.@Nullable RepositoryPolicy declared) {
    // The session's checksum and update policies replace those of repositories.
    return new RepositoryPolicy(declared == null || declared.isEnabled(), null, null);
  }

  @Override
  public void close() {
    system.shutdown();
  }
}
