import Screen from '../screens/board/Board.svelte';
import { start } from './start';

start(Screen);
