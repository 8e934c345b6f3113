package io.stillhouse.jobs;

import static io.stillhouse.error.Text.format;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.protocol.HdfsConstants;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.core.config.Configurator;
import org.apache.spark.sql.SparkSession;

/** A name node and a data node in this JVM, addressed by a name service. */
public final class MiniHdfs implements AutoCloseable {
  private static final String SERVICE = "mini";

  private final MiniDFSCluster cluster;
  private final Map<String, String> client;

  private MiniHdfs(MiniDFSCluster cluster, Map<String, String> client) {
    this.cluster = cluster;
    this.client = client;
  }

  /** Starts both nodes, with their files below a directory. */
  public static MiniHdfs start(Path directory) throws IOException {
    Configurator.setLevel("org.apache.hadoop", Level.ERROR); // it logs warnings at every start
    Configuration hadoop = new Configuration();
    hadoop.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, directory.toString());
    MiniDFSCluster cluster = new MiniDFSCluster.Builder(hadoop).numDataNodes(1).build();
    cluster.waitActive();
    Map<String, String> client = new TreeMap<>();
    client.put("dfs.nameservices", SERVICE);
    client.put("dfs.ha.namenodes." + SERVICE, "one");
    client.put(
        format("dfs.namenode.rpc-address.%s.one", SERVICE),
        format("127.0.0.1:%d", cluster.getNameNodePort()));
    client.put(
        "dfs.client.failover.proxy.provider." + SERVICE,
        "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider");
    client.put("dfs.replication", "1");
    // A quota counts a whole block as soon as its first byte is written.
    client.put("dfs.blocksize", Integer.toString(1 << 20));
    return new MiniHdfs(cluster, client);
  }

  /** Returns the URI, which resolves with the settings below. */
  public String uri() {
    return "hdfs://" + SERVICE;
  }

  /** Returns the settings of a Hadoop client. */
  public Configuration configuration() {
    Configuration hadoop = new Configuration();
    client.forEach(hadoop::set);
    return hadoop;
  }

  /** Returns the same settings for Spark. */
  public Map<String, String> sparkSettings() {
    Map<String, String> settings = new TreeMap<>();
    client.forEach((key, value) -> settings.put("spark.hadoop." + key, value));
    return settings;
  }

  /**
   * Starts a local session with these settings, after the one that other tests share is stopped.
   */
  public SparkSession startSession() {
    Tiny.spark().stop();
    SparkSession.Builder builder =
        SparkSession.builder().master("local[2]").config("spark.ui.enabled", false);
    sparkSettings().forEach(builder::config);
    SparkSession spark = builder.getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
    return spark;
  }

  /** Returns the bytes of a file. */
  public byte[] read(org.apache.hadoop.fs.Path file) throws IOException {
    try (InputStream in = fileSystem().open(file)) {
      return in.readAllBytes();
    }
  }

  /** Writes a file, or overwrites it. */
  public void write(org.apache.hadoop.fs.Path file, byte[] bytes) throws IOException {
    try (OutputStream out = fileSystem().create(file, true)) {
      out.write(bytes);
    }
  }

  /** Creates a directory if needed and sets its quota in bytes. */
  public void limit(org.apache.hadoop.fs.Path directory, long bytes) throws IOException {
    DistributedFileSystem fs = (DistributedFileSystem) fileSystem();
    fs.mkdirs(directory);
    fs.setQuota(directory, HdfsConstants.QUOTA_DONT_SET, bytes);
  }

  private FileSystem fileSystem() throws IOException {
    return new org.apache.hadoop.fs.Path(uri()).getFileSystem(configuration());
  }

  @Override
  public void close() throws IOException {
    fileSystem().close(); // otherwise its lease renewer retries the name node forever
    cluster.shutdown();
  }
}
