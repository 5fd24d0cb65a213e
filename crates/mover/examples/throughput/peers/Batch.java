import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;

/** Reads by a cursor and writes by executeBatch, 5,000 rows at a time: SOURCE TARGET SELECT INSERT REWRITE. */
public class Batch {
    static final int ROWS = 5_000;

    public static void main(String[] arguments) throws Exception {
        String options = "/?user=crate&sslmode=disable&reWriteBatchedInserts=" + arguments[4];
        try (Connection source = DriverManager.getConnection("jdbc:postgresql://" + arguments[0] + options);
                Connection target = DriverManager.getConnection("jdbc:postgresql://" + arguments[1] + options)) {
            // Without a transaction the driver reads everything at once.
            source.setAutoCommit(false);
            try (Statement select = source.createStatement();
                    PreparedStatement insert = target.prepareStatement(arguments[3])) {
                select.setFetchSize(ROWS);
                copy(select.executeQuery(arguments[2]), insert);
            } catch (BatchUpdateException error) {
                // What it says itself is the statement.
                throw error.getNextException() == null ? error : error.getNextException();
            }
        }
    }

    static void copy(ResultSet rows, PreparedStatement insert) throws Exception {
        int columns = rows.getMetaData().getColumnCount();
        int waiting = 0;
        while (rows.next()) {
            for (int column = 1; column <= columns; column++) {
                insert.setObject(column, rows.getObject(column));
            }
            insert.addBatch();
            if (++waiting == ROWS) {
                insert.executeBatch();
                waiting = 0;
            }
        }
        if (waiting > 0) {
            insert.executeBatch();
        }
    }
}
