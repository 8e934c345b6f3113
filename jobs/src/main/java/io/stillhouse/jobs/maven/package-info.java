/**
 * Downloads jars from Maven repositories with Maven's own resolver, so that no Maven needs to be
 * installed. It reads the same settings as Maven: mirrors, proxies, servers with their credentials,
 * repositories of active profiles and the local repository.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.maven;
