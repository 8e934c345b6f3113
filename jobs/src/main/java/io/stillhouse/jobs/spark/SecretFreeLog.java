package io.stillhouse.jobs.spark;

import io.stillhouse.error.Secrets;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.Appender;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.appender.rewrite.RewriteAppender;
import org.apache.logging.log4j.core.appender.rewrite.RewritePolicy;
import org.apache.logging.log4j.core.config.AppenderRef;
import org.apache.logging.log4j.core.config.LoggerConfig;
import org.apache.logging.log4j.core.impl.Log4jLogEvent;
import org.apache.logging.log4j.message.SimpleMessage;

/**
 * Keeps {@link Secrets} out of the log of this process, whatever its configuration. It is added to
 * each appender by code, because Log4j starts before the classes of a Spark application are loaded.
 */
final class SecretFreeLog implements RewritePolicy {
  private static final String PREFIX = "secret-free-";
  private static final String HADOOP_DEFAULTS = "-default.xml";
  private static boolean installed;

  private SecretFreeLog() {}

  /** Learns the secrets of this process, and adds the policy to all appenders on the first call. */
  static synchronized void install(Configuration hadoop) {
    Secrets.rememberEnvironment();
    hadoop.forEach(
        entry -> {
          if (Secrets.isSecretKey(entry.getKey()) && isGiven(hadoop, entry.getKey())) {
            Secrets.remember(entry.getKey(), entry.getValue());
          }
        });
    if (!installed && LogManager.getContext(false) instanceof LoggerContext context) {
      wrapAppenders(context);
      installed = true;
    }
  }

  /** Returns whether a value is not one of Hadoop's defaults, which are public. */
  private static boolean isGiven(Configuration hadoop, String key) {
    String[] sources = hadoop.getPropertySources(key);
    return sources == null
        || sources.length == 0
        || !sources[sources.length - 1].endsWith(HADOOP_DEFAULTS);
  }

  private static void wrapAppenders(LoggerContext context) {
    org.apache.logging.log4j.core.config.Configuration configuration = context.getConfiguration();
    Map<String, Appender> wrapped = new LinkedHashMap<>();
    for (LoggerConfig logger : configuration.getLoggers().values()) {
      for (AppenderRef reference : List.copyOf(logger.getAppenderRefs())) {
        Appender appender = configuration.getAppender(reference.getRef());
        if (appender != null && !(appender instanceof RewriteAppender)) {
          Appender rewriting =
              wrapped.computeIfAbsent(reference.getRef(), name -> rewriting(name, configuration));
          logger.removeAppender(reference.getRef());
          logger.addAppender(rewriting, reference.getLevel(), reference.getFilter());
        }
      }
    }
    context.updateLoggers();
  }

  private static Appender rewriting(
      String name, org.apache.logging.log4j.core.config.Configuration configuration) {
    RewriteAppender appender =
        RewriteAppender.createAppender(
            PREFIX + name,
            "true",
            new AppenderRef[] {AppenderRef.createAppenderRef(name, null, null)},
            configuration,
            new SecretFreeLog(),
            null);
    appender.start();
    configuration.addAppender(appender);
    return appender;
  }

  @Override
  public LogEvent rewrite(LogEvent event) {
    String message = event.getMessage().getFormattedMessage();
    String hidden = Secrets.hiddenIn(message);
    String trace = event.getThrown() == null ? "" : trace(event.getThrown());
    String hiddenTrace = Secrets.hiddenIn(trace);
    if (hidden.equals(message) && hiddenTrace.equals(trace)) {
      return event;
    }
    Log4jLogEvent.Builder copy = new Log4jLogEvent.Builder(event);
    if (hiddenTrace.equals(trace)) {
      return copy.setMessage(new SimpleMessage(hidden)).build();
    }
    return copy.setMessage(new SimpleMessage(hidden + "\n" + hiddenTrace))
        .setThrown(null)
        .setThrownProxy(null)
        .build();
  }

  private static String trace(Throwable thrown) {
    StringWriter text = new StringWriter();
    thrown.printStackTrace(new PrintWriter(text));
    return text.toString();
  }
}
