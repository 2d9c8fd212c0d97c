import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.Arrays;
import java.util.List;

/**
 * The stand-in for MongoDB: mongo-java-server in memory on a free port of 127.0.0.1, which it
 * prints. Arguments: the wire version and the version that it says it has. Ends with its standard
 * input.
 */
public final class MongoStandin {
  public static void main(String[] args) throws Exception {
    int wire = Integer.parseInt(args[0]);
    List<Integer> version = Arrays.stream(args[1].split("\\.")).map(Integer::valueOf).toList();
    MemoryBackend backend = new MemoryBackend();
    backend.version(
        new MongoVersion() {
          public List<Integer> getVersionArray() {
            return version;
          }

          public int getWireVersion() {
            return wire;
          }
        });
    MongoServer server = new MongoServer(backend);
    server.bind("127.0.0.1", 0);
    System.out.println("port " + server.getLocalAddress().getPort());
    while (System.in.read() >= 0) {}
    server.shutdownNow();
  }
}
