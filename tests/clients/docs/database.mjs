// Blocks of SQL, which run in the database `notes` of the role `app`, on the server of the running service.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export class Database {
  constructor(data) {
    this.socket = join(data, 'postgres/socket');
    this.isCreated = false;
  }

  run(sql) {
    if (!this.isCreated) this.psql('postgres', 'CREATE ROLE app LOGIN;', 'CREATE DATABASE notes OWNER app;');
    this.isCreated = true;
    this.psql('notes', sql);
  }

  psql(database, ...statements) {
    const commands = statements.flatMap((statement) => ['-c', statement]);
    const options = ['-h', this.socket, '-U', 'postgres', '-d', database, '-v', 'ON_ERROR_STOP=1', '--quiet'];
    execFileSync('psql', [...options, ...commands], { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
